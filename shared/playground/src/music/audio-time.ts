// When something sounds by the clock of an audio context. Pure.

/** Samples that count: some seconds of them, as the two clocks drift. */
const MAX_SAMPLES = 60;
/** A context that falls back by more stood still. */
const JUMP_S = 0.06;

/**
 * A context's time moves in steps, so that it is behind most of the time: the latest that it
 * showed in the last seconds counts.
 */
export class AudioTime {
  #aheadS: number[] = [];

  /** Note a context's time at a time of `performance.now()`. */
  sample(contextS: number, nowMs: number): void {
    const aheadS = contextS - nowMs / 1000;
    if (aheadS < Math.max(...this.#aheadS) - JUMP_S) this.#aheadS = [];
    this.#aheadS = [...this.#aheadS.slice(1 - MAX_SAMPLES), aheadS];
  }

  /** The context's time at a time of `performance.now()`. */
  at(ms: number): number {
    return ms / 1000 + Math.max(...this.#aheadS);
  }
}
