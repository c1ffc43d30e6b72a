// The notes as they begin, which move the particles.
import { beginning, pitchRange, positionS, Progress, type Playing } from './timeline.ts';

/** A note that begins: where from left to right, and how strong; both from 0 to 1. */
export interface NoteStroke {
  readonly at: number;
  readonly strength: number;
}

export class Strokes {
  readonly #progress = new Progress();

  /** The notes that have begun since the last call. */
  begun(playing: readonly Playing[], nowMs: number): readonly NoteStroke[] {
    this.#progress.keep(playing);
    return playing.flatMap(one => {
      const nowS = positionS(one, nowMs);
      const [fromS, toS] = this.#progress.advance(one.section, nowS, Math.max(0, nowS));
      const { notes } = one.section;
      const begun = beginning(notes, fromS, toS);
      if (begun.length === 0) return [];
      const { low, high } = pitchRange(notes);
      return begun.map(({ pitch, velocity }) => ({ at: (pitch - low) / (high - low), strength: velocity / 127 }));
    });
  }
}
