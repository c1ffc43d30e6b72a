// The styles that one can ask for.

export const STYLES = [
  ...['classical', 'chorale', 'strings', 'ballad', 'pop', 'swing', 'ragtime', 'latin', 'march', 'minimal'],
  ...['waltz', 'minuet', 'barcarolle', 'jig', 'blues'],
] as const;
export type Style = (typeof STYLES)[number];
