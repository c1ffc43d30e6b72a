// What a refusal means for the person in front of the page. Pure.
import type { ErrorCode, ErrorReason } from '@harmonic-universe/client';

/** What to do about it: join again, bring another token, or nothing. */
export type Remedy = 'again' | 'token' | 'none';

export interface Explanation {
  readonly title: string;
  readonly text: string;
  readonly remedy: Remedy;
}

/** What is known of a refusal. */
export interface Refusal {
  readonly code?: ErrorCode | 'UNANSWERED' | undefined;
  readonly reason?: ErrorReason | undefined;
  readonly message: string;
}

const BY_REASON: Partial<Record<ErrorReason, Explanation>> = {
  EXPIRED: { title: 'Your token has expired', text: 'Bring a new one to go on.', remedy: 'token' },
  INVALID: { title: 'The token is not accepted', text: 'It is not signed for this server.', remedy: 'token' },
  MISSING: { title: 'A token is needed', text: 'This server knows no guests.', remedy: 'token' },
  REVOKED: { title: 'Your token was withdrawn', text: 'Bring a new one to go on.', remedy: 'token' },
  KICKED: { title: 'You were put out of the room', text: 'You may come again.', remedy: 'again' },
  REMOVED: { title: 'You are no member any more', text: 'The owner has taken you off the list.', remedy: 'none' },
  BANNED: { title: 'The owner keeps you out', text: 'You cannot join this universe.', remedy: 'none' },
  CONNECTIONS: { title: 'Too many windows', text: 'Close another window of yours, and try again.', remedy: 'again' },
  ORIGIN: {
    title: 'The server does not know this address',
    text: 'Its operator has to list it in HARMONIC_PUBLIC_URLS.',
    remedy: 'none',
  },
};
const BY_CODE: Partial<Record<ErrorCode | 'UNANSWERED', Explanation>> = {
  ROOM_FULL: { title: 'This universe is full', text: 'Somebody has to leave before you can join.', remedy: 'again' },
  NOT_FOUND: { title: 'There is no such universe', text: 'It may have been deleted, or is private.', remedy: 'none' },
  UNANSWERED: { title: 'The server does not answer', text: 'It may be away for a moment.', remedy: 'again' },
};

/** Why one is not in the room. */
export function explain({ code, reason, message }: Refusal): Explanation {
  return (
    (reason && BY_REASON[reason]) ??
    (code && BY_CODE[code]) ?? { title: 'This did not work', text: `${message}.`, remedy: 'again' }
  );
}

/** Whole seconds until a time, at least one. */
export function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(1, Math.ceil((atMs - nowMs) / 1000));
}

/** A number of things in words. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
