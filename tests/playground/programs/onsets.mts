// Finds the notes of an endless piece in what a window let sound. Pure.
import type { MusicBar } from '../../../shared/client-ts/src/index.ts';

/** A bar as a window let it sound. */
export interface HeardBar {
  readonly bar: number;
  /** How much later than the server's clock says, in milliseconds: the median of its notes. */
  readonly lateMs: number;
  /** Sounds that did not begin. */
  readonly missing: number;
  /** Sounds that began, and are none of its notes. */
  readonly extra: number;
}

/**
 * How each bar was heard, of bars that follow one another: notes and sounds are matched in their
 * order, each note with `soundsPerNote` sounds that begin within `nearMs` of its time.
 */
export function heard(
  bars: readonly MusicBar[],
  beginsMs: readonly number[],
  soundsPerNote: number,
  nearMs: number,
): readonly HeardBar[] {
  const notes = bars
    .flatMap(bar => bar.notes.map(({ startTime }) => ({ bar, atMs: Date.parse(bar.startsAt) + startTime * 1000 })))
    .flatMap(note => Array.from({ length: soundsPerNote }, () => note))
    .sort((one, other) => one.atMs - other.atMs);
  const found = new Map(bars.map(bar => [bar, { lateMs: [] as number[], missing: 0, extra: 0 }]));
  const sounds = [...beginsMs].sort((one, other) => one - other);
  let next = 0;
  for (const { bar, atMs } of notes) {
    const its = found.get(bar);
    if (!its) continue;
    for (; (sounds[next] ?? Infinity) < atMs - nearMs; next += 1) its.extra += 1;
    const begunMs = sounds[next] ?? Infinity;
    if (begunMs > atMs + nearMs) its.missing += 1;
    else {
      its.lateMs.push(begunMs - atMs);
      next += 1;
    }
  }
  return bars.map(bar => {
    const { lateMs = [], missing = 0, extra = 0 } = found.get(bar) ?? {};
    lateMs.sort((one, other) => one - other);
    return { bar: bar.bar, lateMs: lateMs[lateMs.length >> 1] ?? NaN, missing, extra };
  });
}
