// What one has to know: why one is not in the room, and what has to wait.
import type { UniverseState } from '@harmonic-universe/client';
import { RefusedError, UnansweredError } from '@harmonic-universe/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { explain, secondsUntil, type Explanation } from '../explanations.ts';
import { bearer, NoGuestsError, type Session } from '../session.ts';
import { useWatched } from '../watched.ts';
import { mayView, type Room } from './room.ts';

interface NoticesProps {
  room: Room;
  onEnter: (session: Session, universe: string) => void;
  onLeave: () => void;
}

/** Why one is not in the room, if one is not. */
export function useObstacle(room: Room): Error | undefined {
  const connection = useWatched(room.client, ({ status, error }) => (status === 'refused' || error instanceof NoGuestsError ? error : undefined));
  const refusal = useWatched(room.universe, ({ status, error }) => (status === 'refused' ? error : undefined));
  return connection ?? (mayView(refusal) ? undefined : refusal);
}

/** What to do about an obstacle; the keyboard goes there. */
export function Barrier({ room, error, onEnter, onLeave }: NoticesProps & { error: Error }) {
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => card.current?.querySelector<HTMLElement>('input, button')?.focus(), []);
  const explanation = explanationOf(error);
  const again = () => {
    if (room.client.status !== 'connected') room.client.connect();
    room.universe.join();
  };
  return (
    <div class="barrier">
      <div ref={card} class="card" role="alertdialog" aria-labelledby="barrier-title" aria-describedby="barrier-text">
        <h2 id="barrier-title">{explanation.title}</h2>
        <p id="barrier-text">{explanation.text}</p>
        {explanation.remedy === 'token' && <TokenForm onToken={token => onEnter(bearer(token), room.universe.id)} />}
        {explanation.remedy === 'again' && (
          <button type="button" class="primary" onClick={again}>
            Join again
          </button>
        )}
        <button type="button" onClick={onLeave}>
          To the start
        </button>
      </div>
    </div>
  );
}

function explanationOf(error: Error): Explanation {
  if (error instanceof NoGuestsError) return explain({ reason: 'MISSING', message: error.message });
  if (error instanceof RefusedError) return explain(error);
  return explain({ code: error instanceof UnansweredError ? 'UNANSWERED' : undefined, message: error.message });
}

function TokenForm({ onToken }: { onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  return (
    <form
      onSubmit={event => {
        event.preventDefault();
        if (token.trim()) onToken(token.trim());
      }}
    >
      <label>
        <span>Token</span>
        <input value={token} onInput={event => setToken(event.currentTarget.value)} autocomplete="off" />
      </label>
      <button type="submit" class="primary">
        Go on
      </button>
    </form>
  );
}

/** That changes wait for a limit, or that one was refused. */
export function Toasts({ room }: { room: Room }) {
  const heldUntilMs = useWatched(room.universe, ({ heldBackUntilMs }) => heldBackUntilMs);
  const refused = useWatched(room.universe, refusalOf);
  const seconds = useCountdown(heldUntilMs);
  return (
    <div class="toasts" role="status">
      {seconds !== undefined && (
        <p class="toast">
          You are faster than this universe: your changes go out in <b>{seconds} s</b>. They are kept.
        </p>
      )}
      {seconds === undefined && refused && <p class="toast">{refused}.</p>}
    </div>
  );
}

function refusalOf({ status, error }: UniverseState): string | undefined {
  return status === 'joined' && error instanceof RefusedError && error.code !== 'RATE_LIMITED' && !mayView(error) ? error.message : undefined;
}

/** Whole seconds until a time by the clock of the page, and `undefined` after it. */
export function useCountdown(untilMs: number | undefined): number | undefined {
  const [, draw] = useState(0);
  const nowMs = performance.timeOrigin + performance.now();
  const left = untilMs !== undefined && untilMs > nowMs;
  useEffect(() => {
    if (!left) return;
    const timer = setInterval(() => draw(count => count + 1), 250);
    return () => clearInterval(timer);
  }, [left, untilMs]);
  return left ? secondsUntil(untilMs, nowMs) : undefined;
}
