// The server's clock, and how good the connection is, from the answers to `time_sync`. Pure.

/** What one answer says: the server's clock less ours, and the round trip without the server's time. */
export interface Sample {
  readonly offsetMs: number;
  readonly rttMs: number;
}

/** How good the connection is, by its median round trip and by answers that did not come. */
export type Quality = 'good' | 'fair' | 'poor' | 'offline';

/** The newest answers that count; `undefined` is one that did not come. */
export type Samples = readonly (Sample | undefined)[];

const MAX_SAMPLES = 16;
const GOOD_RTT_MS = 150;
const FAIR_RTT_MS = 400;
const JUDGED_SAMPLES = 5;

/** Asked at `t0` and answered at `t3` by our clock; received at `t1`, answered at `t2` by the server's. */
export function sample(t0: number, t1: number, t2: number, t3: number): Sample {
  return { offsetMs: (t1 - t0 + (t2 - t3)) / 2, rttMs: t3 - t0 - (t2 - t1) };
}

/** The samples with one more. */
export function remember(samples: Samples, one: Sample | undefined): Samples {
  return [...samples, one].slice(-MAX_SAMPLES);
}

/** The sample with the shortest round trip: its offset can be wrong by half of that at most. */
export function best(samples: Samples): Sample | undefined {
  let found: Sample | undefined;
  for (const one of samples) if (one && (!found || one.rttMs <= found.rttMs)) found = one;
  return found;
}

/** The quality of a connection whose newest answers these are. */
export function quality(samples: Samples): Quality {
  const judged = samples.slice(-JUDGED_SAMPLES);
  const rtts = judged.flatMap(one => (one ? [one.rttMs] : [])).sort((a, b) => a - b);
  const median = rtts[rtts.length >> 1] ?? Infinity;
  const missing = judged.length - rtts.length;
  if (median <= GOOD_RTT_MS && missing === 0) return 'good';
  return median <= FAIR_RTT_MS && missing <= 1 ? 'fair' : 'poor';
}
