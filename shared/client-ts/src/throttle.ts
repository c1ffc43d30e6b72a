// How often something may be sent. Pure: the time is an argument.

/** At most one thing in `intervalMs`; the next one may be sent at `readyAtMs`. */
export interface Pace {
  readonly intervalMs: number;
  readonly readyAtMs: number;
}

// The server counts in sliding windows: at exactly the limit, a message that arrives early is refused.
const SLACK = 1.05;

/** A pace of `count` in `windowMs`, not before what was granted at an earlier pace. */
export function paceOf(count: number, windowMs: number, earlier?: Pace): Pace {
  return { intervalMs: (SLACK * windowMs) / Math.max(1, count), readyAtMs: earlier?.readyAtMs ?? 0 };
}

/** Reserve the next turn: in how many milliseconds it is, and the pace after it. */
export function turn(pace: Pace, nowMs: number): { delayMs: number; pace: Pace } {
  const atMs = Math.max(nowMs, pace.readyAtMs);
  return { delayMs: atMs - nowMs, pace: { ...pace, readyAtMs: atMs + pace.intervalMs } };
}

/** The pace after the server asked to come again in `retryAfterMs`. */
export function heldBack(pace: Pace, nowMs: number, retryAfterMs: number): Pace {
  return { ...pace, readyAtMs: Math.max(pace.readyAtMs, nowMs + retryAfterMs) };
}
