// Colours: of colour schemes, and of people. Pure.
import { capital, type Option } from './parameters.ts';

/** A cosine palette: each channel is `base + range * cos(2π * (frequency * t + phase))`. */
export interface Palette {
  readonly base: readonly [number, number, number];
  readonly range: readonly [number, number, number];
  readonly frequency: readonly [number, number, number];
  readonly phase: readonly [number, number, number];
}

const even = (value: number) => [value, value, value] as const;
// Anybody may name a scheme `constructor`, which a mere object would know.
const PALETTES: ReadonlyMap<string, Palette> = new Map(Object.entries<Palette>({
  rainbow: { base: even(0.55), range: even(0.45), frequency: even(1), phase: [0, 0.33, 0.67] },
  aurora: { base: [0.25, 0.6, 0.6], range: [0.25, 0.35, 0.3], frequency: [0.8, 0.6, 0.7], phase: [0.6, 0.05, 0.35] },
  sunset: { base: [0.78, 0.42, 0.48], range: [0.22, 0.32, 0.3], frequency: [0.7, 0.7, 0.6], phase: [0, 0.12, 0.5] },
  ocean: { base: [0.15, 0.5, 0.75], range: [0.15, 0.35, 0.25], frequency: [0.8, 0.7, 0.5], phase: [0.5, 0.2, 0.1] },
  fire: { base: [0.82, 0.4, 0.16], range: [0.18, 0.36, 0.16], frequency: [0.6, 0.8, 0.7], phase: [0, 0.05, 0.1] },
  forest: { base: [0.4, 0.6, 0.3], range: [0.3, 0.3, 0.22], frequency: [0.7, 0.6, 0.8], phase: [0.2, 0, 0.3] },
  candy: { base: [0.85, 0.55, 0.78], range: [0.15, 0.3, 0.22], frequency: [0.9, 0.8, 0.7], phase: [0.1, 0.4, 0.75] },
  monochrome: { base: even(0.72), range: even(0.26), frequency: even(0.7), phase: even(0) },
}));

/** The schemes that the page has colours for. */
export const SCHEME_OPTIONS: readonly Option[] = [...PALETTES.keys()].map(value => ({ value, label: capital(value) }));

/** The palette of a scheme; of one that the page does not know, one that follows from its name. */
export function paletteOf(scheme: string): Palette {
  const known = PALETTES.get(scheme);
  if (known) return known;
  const turn = hash(scheme) / 2 ** 32;
  return { base: even(0.55), range: even(0.4), frequency: [0.6, 0.7, 0.8], phase: [turn, turn + 0.2, turn + 0.45] };
}

/** Hues that can be told apart, by everyone as far as that goes, and read on dark and light. */
const HUES = [28, 265, 165, 340, 205, 95, 300, 55, 235, 0] as const;

/** A person's hue in degrees: the same on every page. */
export function hueOf(userId: string): number {
  return HUES[hash(userId) % HUES.length] ?? 0;
}

// FNV-1a, 32 bits.
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return value;
}
