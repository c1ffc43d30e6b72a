// Who one is: a guest of this gateway, or the user of a token that was brought along.
import type { ErrorReason } from '@harmonic-universe/client';

/** The gateway has no tokens for guests. */
export class NoGuestsError extends Error {}

/** A call of the HTTP API was refused, for a reason of the protocol's. */
export class CallError extends Error {
  readonly reason: ErrorReason | undefined;

  constructor(message: string, reason: ErrorReason | undefined) {
    super(message);
    this.reason = reason;
  }
}

/** Where the tokens of one user come from. */
export interface Session {
  readonly name: string;
  /** A new token, if there can be one. */
  renewed(): Promise<string>;
  /** A token that is good for a while. */
  current(): Promise<string>;
}

const GUEST_KEY = 'harmonic-guest-key';
const KEY_BYTES = 24;
/** A token that expires sooner is not used any more. */
const SPARE_MS = 30_000;

/** A guest: the same user on this tab, however often its token is renewed. */
export function guest(name: string): Session {
  return renewing(name, () => fetchGuestToken(name));
}

/** The user of a token that cannot be renewed. */
export function bearer(token: string): Session {
  return { name: claimsOf(token)['username'] as string, renewed: async () => token, current: async () => token };
}

function renewing(name: string, fetchToken: () => Promise<string>): Session {
  let known: { token: string; untilMs: number } | undefined;
  const renewed = async () => {
    const token = await fetchToken();
    known = { token, untilMs: Number(claimsOf(token)['exp']) * 1000 - SPARE_MS };
    return token;
  };
  const current = async () => (known && Date.now() < known.untilMs ? known.token : renewed());
  return { name, renewed, current };
}

async function fetchGuestToken(name: string): Promise<string> {
  const response = await fetch('/guest-tokens', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name, key: guestKey() }),
  });
  if (response.status === 404) throw new NoGuestsError('This server gives no tokens to guests.');
  const answer = await response.json();
  if (!response.ok) throw refusalOf(answer);
  return answer.token;
}

/** A call of the HTTP API as the session's user: the answer, or a `CallError`. */
export async function call<T>(session: Session, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${await session.current()}`,
      ...(body && { 'Content-Type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw refusalOf(answer);
  return answer;
}

function refusalOf(answer: { error?: { message: string; details?: { reason?: ErrorReason } } }): CallError {
  const { message = 'The server did not answer.', details } = answer.error ?? {};
  return new CallError(message, details?.reason);
}

/** A random text that this tab alone knows. */
function guestKey(): string {
  const known = sessionStorage.getItem(GUEST_KEY);
  if (known) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  const made = btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_');
  sessionStorage.setItem(GUEST_KEY, made);
  return made;
}

/** What a token says, which only the server can believe. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), each => each.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}
