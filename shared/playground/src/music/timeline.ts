// Where a piece is at a time. Pure.
import type { MusicGenerated, Note, Stroke } from '@harmonic-universe/client';

/** A piece on the page's own clock: it begins at `startMs` of `performance.now()`. */
export interface Playing {
  readonly piece: MusicGenerated;
  readonly startMs: number;
}

/** How far into a piece a time is, in seconds; negative before it begins. */
export function positionS({ startMs }: Playing, nowMs: number): number {
  return (nowMs - startMs) / 1000;
}

/** Whether a piece sounds, or is about to. */
export function isOn(playing: Playing | undefined, nowMs: number): playing is Playing {
  return playing !== undefined && positionS(playing, nowMs) < playing.piece.duration + 0.4;
}

/** Those that begin from `fromS` on and before `toS`; they are sorted by their beginning. */
export function beginning<T extends Note | Stroke>(sorted: readonly T[], fromS: number, toS: number): readonly T[] {
  return sorted.slice(firstFrom(sorted, fromS), firstFrom(sorted, toS));
}

function firstFrom(sorted: readonly (Note | Stroke)[], atS: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.startTime ?? 0) < atS) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lowest and the highest pitch, with some space around them. */
export function pitchRange(notes: readonly Note[]): { low: number; high: number } {
  if (notes.length === 0) return { low: 48, high: 72 };
  let low = 127;
  let high = 0;
  for (const { pitch } of notes) {
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  return { low: low - 2, high: high + 2 };
}

/** The beats of a bar, in quarter notes. */
export function quartersInBar(meter: MusicGenerated['meter']): number {
  return meter === '3/4' || meter === '6/8' ? 3 : 4;
}
