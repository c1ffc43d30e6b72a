// What to do after a refusal. Pure.
import type { ErrorReason, Refused } from '../../contract/protocol.ts';

/** Send the command again after `ms`, send it again with a new token, or give it up. */
export type Verdict =
  | { readonly what: 'again'; readonly ms: number }
  | { readonly what: 'renew' }
  | { readonly what: 'give up' };

const MAX_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 200;
// Transient refusals: nothing was done, or the same `opId` finds out what was done.
const PASSING: ReadonlySet<ErrorReason | undefined> = new Set<ErrorReason>([
  'BUSY',
  'KEYS_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'OVERDUE',
  'QUEUE_FULL',
]);

/** Whether a refusal is of the moment: the same request may be granted on another connection. */
export function isPassing({ code, details: { reason, retryAfterMs } }: Pick<Refused, 'code' | 'details'>): boolean {
  return code === 'INTERNAL_ERROR' || retryAfterMs !== undefined || reason === 'EXPIRED' || PASSING.has(reason);
}

/** The verdict on a command that was refused at this attempt, counted from 1. */
export function afterRefusal(refusal: Refused, attempt: number, maxPauseMs: number): Verdict {
  const { reason, retryAfterMs } = refusal.details;
  if (attempt >= MAX_ATTEMPTS) return { what: 'give up' };
  if (reason === 'EXPIRED') return { what: 'renew' };
  if (retryAfterMs === undefined && !PASSING.has(reason)) return { what: 'give up' };
  const ms = retryAfterMs ?? pauseMs(attempt);
  return ms <= maxPauseMs ? { what: 'again', ms } : { what: 'give up' };
}

/** How long to wait after that many attempts failed. */
export function pauseMs(attempt: number): number {
  return FIRST_PAUSE_MS * 2 ** (attempt - 1);
}
