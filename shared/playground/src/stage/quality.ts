// How much a stage draws: less where the machine is slow, more again where it is not. Pure.
//
// Pixels and frames are given up before particles.

/** One step of quality. */
export interface Quality {
  /** Pixels of the canvas for one of the page's, at most. */
  readonly pixels: number;
  readonly framesPerS: number;
  /** Which part of the particles is drawn. */
  readonly share: number;
  readonly trails: boolean;
}

/** The best first. */
export const QUALITIES: readonly Quality[] = [
  { pixels: 2, framesPerS: 60, share: 1, trails: true },
  { pixels: 1, framesPerS: 60, share: 1, trails: true },
  { pixels: 1, framesPerS: 30, share: 1, trails: true },
  { pixels: 0.75, framesPerS: 30, share: 1, trails: true },
  { pixels: 0.6, framesPerS: 24, share: 1, trails: true },
  { pixels: 0.5, framesPerS: 20, share: 1, trails: false },
  { pixels: 0.5, framesPerS: 12, share: 1, trails: false },
  { pixels: 0.4, framesPerS: 8, share: 1, trails: false },
  { pixels: 0.4, framesPerS: 5, share: 0.5, trails: false },
];

/** What was measured over a while. */
export interface Measured {
  readonly elapsedMs: number;
  readonly frames: number;
  /** Time of the main thread that frames took. */
  readonly workMs: number;
}

/** Where a stage is, and since when it could do with more. */
export interface Level {
  readonly index: number;
  readonly goodForMs: number;
  /** How long it must be good for before it tries more: longer after each try in vain. */
  readonly patienceMs: number;
}

const MAX_BUSY = 0.3;
const LOW_BUSY = 0.12;
const MIN_FRAMES = 0.7;
const ENOUGH_FRAMES = 0.92;
const FIRST_PATIENCE_MS = 8000;
const MAX_PATIENCE_MS = 120_000;

/** A machine that is not known yet. */
export const START: Level = { index: 2, goodForMs: 0, patienceMs: FIRST_PATIENCE_MS };

/** The level after a while: at once lower where too little was drawn, higher after a long good time. */
export function adapted(level: Level, { elapsedMs, frames, workMs }: Measured): Level {
  const quality = QUALITIES[level.index];
  if (!quality || elapsedMs <= 0) return level;
  const busy = workMs / elapsedMs;
  const drawn = frames / ((elapsedMs / 1000) * quality.framesPerS);
  if (busy > MAX_BUSY || drawn < MIN_FRAMES) {
    const index = Math.min(level.index + 1, QUALITIES.length - 1);
    return { index, goodForMs: 0, patienceMs: Math.min(level.patienceMs * 2, MAX_PATIENCE_MS) };
  }
  if (busy > LOW_BUSY || drawn < ENOUGH_FRAMES || level.index === 0) return { ...level, goodForMs: 0 };
  const goodForMs = level.goodForMs + elapsedMs;
  return goodForMs < level.patienceMs ? { ...level, goodForMs } : { ...level, index: level.index - 1, goodForMs: 0 };
}
