// The server's clock, and how good the connection is, from the answers to `time_sync`. Pure.

/** What one answer says of each way: how far the server's clock is ahead, with the message's delay. */
export interface Sample {
  /** `t1 - t0`: the clocks' difference and the way there. */
  readonly thereMs: number;
  /** `t2 - t3`: the clocks' difference less the way back. */
  readonly backMs: number;
}

/** The server's clock less ours, and the round trip without the time that the server took. */
export interface Reading {
  readonly offsetMs: number;
  readonly rttMs: number;
}

/** How good the connection is, by its median round trip and by missing answers. */
export type Quality = 'good' | 'fair' | 'poor' | 'offline';

/** The newest answers that count; `undefined` is one that did not come. */
export type Samples = readonly (Sample | undefined)[];

const MAX_SAMPLES = 32;
const GOOD_RTT_MS = 150;
const FAIR_RTT_MS = 400;
const JUDGED_SAMPLES = 5;
const FIRST_INTERVAL_MS = 10;
const LAST_INTERVAL_MS = 10_000;
const INTERVAL_GROWTH = 1.1;

/**
 * The milliseconds between this question and the next, from the interval before; 0 at first.
 *
 * Fifteen are asked in the first 300 ms, when a piece may be about to start. The newest samples
 * that count span nine tenths of the time since the start, until a question is asked every 10 s.
 */
export function nextIntervalMs(intervalMs: number): number {
  return Math.min(Math.max(intervalMs * INTERVAL_GROWTH, FIRST_INTERVAL_MS), LAST_INTERVAL_MS);
}

/** Asked at `t0` and answered at `t3` by our clock; received at `t1`, answered at `t2` by the server's. */
export function sample(t0: number, t1: number, t2: number, t3: number): Sample {
  return { thereMs: t1 - t0, backMs: t2 - t3 };
}

/** One sample alone: ((t1 - t0) + (t2 - t3)) / 2, wrong by half of the round trip at most. */
export function reading({ thereMs, backMs }: Sample): Reading {
  return { offsetMs: (thereMs + backMs) / 2, rttMs: thereMs - backMs };
}

/**
 * The samples with one more, without the oldest ones that contradict the newer ones.
 *
 * Samples contradict each other where their fastest way there and their fastest way back would take
 * less than no time together. Then one of the clocks was set, stood still or drifted in between.
 */
export function remember(samples: Samples, one: Sample | undefined): Samples {
  let kept = [...samples, one].slice(-MAX_SAMPLES);
  while ((best(kept)?.rttMs ?? 0) < 0) kept = kept.slice(1);
  return kept;
}

/**
 * The reading of the fastest way there and the fastest way back, which may be of two samples.
 *
 * Where delays vary, it is more exact than the sample with the shortest round trip: one way is fast
 * more often than both at once.
 */
export function best(samples: Samples): Reading | undefined {
  const known = samples.filter(one => one !== undefined);
  if (known.length === 0) return undefined;
  const thereMs = Math.min(...known.map(one => one.thereMs));
  const backMs = Math.max(...known.map(one => one.backMs));
  return reading({ thereMs, backMs });
}

/** The quality of a connection whose newest answers these are. */
export function quality(samples: Samples): Quality {
  const judged = samples.slice(-JUDGED_SAMPLES);
  const rtts = judged.flatMap(one => (one ? [reading(one).rttMs] : [])).sort((a, b) => a - b);
  const median = rtts[rtts.length >> 1] ?? Infinity;
  const missing = judged.length - rtts.length;
  if (median <= GOOD_RTT_MS && missing === 0) return 'good';
  return median <= FAIR_RTT_MS && missing <= 1 ? 'fair' : 'poor';
}
