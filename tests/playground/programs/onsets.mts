// Finds the bars of an endless piece in what a window let sound. Pure.
import type { MusicBar } from '../../../shared/client-ts/src/index.ts';

/** A bar as a window let it sound. */
export interface HeardBar {
  /** How much later than the server's clock says, in milliseconds. */
  readonly lateMs: number;
  /** Of the moments at which notes begin, those at which nothing began. */
  readonly missing: number;
  /** How many oscillators began at each of these moments. */
  readonly begun: readonly number[];
}

/** A bar is looked for so far around its time. */
const NEAR_MS = 250;
/** Sounds that begin together do so within this. */
const TOGETHER_MS = 6;

/** When a bar's notes begin, each moment once, in milliseconds from its beginning. */
export function onsets({ notes }: MusicBar): readonly number[] {
  return [...new Set(notes.map(({ startTime }) => startTime * 1000))];
}

/** The bar among all beginnings of a window: at the shift from the server's time that fits best. */
export function found(bar: MusicBar, beginsMs: readonly number[]): HeardBar {
  const expected = onsets(bar).map(onset => Date.parse(bar.startsAt) + onset);
  const first = expected[0] ?? 0;
  const near = beginsMs.filter(ms => ms > first - NEAR_MS && ms < Date.parse(bar.startsAt) + bar.duration * 1000 + NEAR_MS);
  const at = (lateMs: number): HeardBar => {
    const begun = expected.map(ms => near.filter(begin => Math.abs(begin - ms - lateMs) < TOGETHER_MS).length);
    return { lateMs, begun, missing: begun.filter(count => count === 0).length };
  };
  const shifts = near.filter(ms => Math.abs(ms - first) < NEAR_MS).map(ms => ms - first);
  return shifts.map(at).reduce(better, { lateMs: NaN, begun: [], missing: expected.length });
}

function better(one: HeardBar, other: HeardBar): HeardBar {
  if (one.missing !== other.missing) return one.missing < other.missing ? one : other;
  return Math.abs(other.lateMs) < Math.abs(one.lateMs) ? other : one;
}
