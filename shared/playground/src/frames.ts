// One loop for all that moves on the page. A frame costs the browser about the same whatever is drawn in it.

/** Draws at a time of `performance.now()`. */
export type Draw = (nowMs: number) => void;

/** Half a frame of most displays: so much early is nearer than so much late. */
const HALF_FRAME_MS = 8;

export class Frames {
  /** How many frames a second are drawn, at most. */
  perS: number;
  readonly #draws = new Set<Draw>();
  #request = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(perS: number) {
    this.perS = perS;
  }

  /** Draw with each frame from now on. Returns how to stop. */
  add(draw: Draw): () => void {
    this.#draws.add(draw);
    if (this.#draws.size === 1) this.#ask();
    return () => {
      this.#draws.delete(draw);
      if (this.#draws.size === 0) this.#stop();
    };
  }

  #ask(): void {
    this.#request = requestAnimationFrame(nowMs => this.#frame(nowMs));
  }

  #stop(): void {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#request);
  }

  // The browser is asked for a frame only when one is due: it does work for each that is asked for.
  #frame(nowMs: number): void {
    const waitMs = nowMs + 1000 / this.perS - HALF_FRAME_MS - performance.now();
    if (waitMs > HALF_FRAME_MS) this.#timer = setTimeout(() => this.#ask(), waitMs);
    else this.#ask();
    for (const draw of this.#draws) draw(nowMs);
  }
}
