// Where what is played is at a time. Pure.
import type { MusicBar, MusicGenerated, Note, Stroke } from '@harmonic-universe/client';

/** What is played from a beginning on: a whole piece, or a bar of an endless one. */
export type Section = MusicGenerated | MusicBar;

/** A section on the page's own clock: it begins at `startMs` of `performance.now()`. */
export interface Playing<S extends Section = Section> {
  readonly section: S;
  readonly startMs: number;
}

/** The lowest and the highest pitch that are drawn. */
export interface PitchRange {
  readonly low: number;
  readonly high: number;
}

/** How far into a section a time is, in seconds; negative before it begins. */
export function positionS({ startMs }: Playing, nowMs: number): number {
  return (nowMs - startMs) / 1000;
}

/** Whether a section sounds, or is about to. */
export function isOn<S extends Section>(playing: Playing<S> | undefined, nowMs: number): playing is Playing<S> {
  return playing !== undefined && positionS(playing, nowMs) < playing.section.duration + 0.4;
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

/** What is left at `atS` of notes that began after `fromS` and sound for at least `leastS` more, as notes that begin there. */
export function ringingAt(sorted: readonly Note[], fromS: number, atS: number, leastS: number): readonly Note[] {
  return beginning(sorted, fromS, atS).flatMap(note => {
    const leftS = note.startTime + note.duration - atS;
    return leftS < leastS ? [] : [{ ...note, startTime: atS, duration: leftS }];
  });
}

/** The lowest and the highest pitch, with some space around them. */
export function pitchRange(notes: readonly Note[]): PitchRange {
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
export function quartersInBar(meter: Section['meter']): number {
  return meter === '3/4' || meter === '6/8' ? 3 : 4;
}

/** The position that was reached in each section, so that each of its notes is handled once. */
export class Progress {
  readonly #reached = new Map<Section, number>();

  /** The time since the last call for this section, which ends at `toS`; the first one begins at `firstS`. */
  advance(section: Section, toS: number, firstS: number): readonly [fromS: number, toS: number] {
    const fromS = this.#reached.get(section) ?? firstS;
    this.#reached.set(section, Math.max(fromS, toS));
    return [fromS, Math.max(fromS, toS)];
  }

  /** Handle a section in place of another one, from the position that was reached in that. */
  replace(section: Section, by: Section): void {
    const reached = this.#reached.get(section);
    if (reached !== undefined) this.#reached.set(by, reached);
  }

  isNew(section: Section): boolean {
    return !this.#reached.has(section);
  }

  /** Forget all sections but these. */
  keep(playing: readonly Playing[]): void {
    for (const section of [...this.#reached.keys()]) {
      if (!playing.some(one => one.section === section)) this.#reached.delete(section);
    }
  }
}
