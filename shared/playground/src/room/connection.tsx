// What the connection is like, a way to cut it, and what came back.
import { useEffect, useState } from 'preact/hooks';
import { counted } from '../explanations.ts';
import { useWatched } from '../watched.ts';
import type { Returned } from './absence.ts';
import type { Room } from './room.ts';

const TIMES_MS = 1000;

/** The state of the connection in a word. */
export function stateOf(status: string, quality: string): string {
  if (status === 'connected') return `connected, ${quality}`;
  return status === 'connecting' ? 'reconnecting…' : status;
}

export function Connection({ room }: { room: Room }) {
  const [status, quality] = useWatched(room.client, state => [state.status, state.quality] as const);
  const returned = useWatched(room.absence.returned, state => state);
  const rtt = useRoundTrip(room);
  return (
    <section class="group" aria-labelledby="connection-title">
      <h2 id="connection-title">Connection</h2>
      <p class="facts">
        <span class={`signal ${status === 'connected' ? quality : 'offline'}`} aria-hidden="true" />
        {stateOf(status, quality)}
        {status === 'connected' && rtt !== undefined && `, ${rtt} ms there and back`}
      </p>
      <button type="button" disabled={status !== 'connected'} onClick={() => room.absence.cut()}>
        Cut the connection
      </button>
      <p role="status" class="report">
        {status === 'connecting' ? 'Cut. Changes go on here, and are sent when the connection is back.' : returned ? reportOf(returned) : ''}
      </p>
    </section>
  );
}

function useRoundTrip(room: Room): number | undefined {
  const [rtt, setRtt] = useState<number>();
  useEffect(() => {
    const look = () => setRtt(room.client.clock.rttMs === undefined ? undefined : Math.max(1, Math.round(room.client.clock.rttMs)));
    const timer = setInterval(look, TIMES_MS);
    return () => clearInterval(timer);
  }, [room]);
  return rtt;
}

/** What came back, in a few words. */
export function reportOf({ awayMs, recovered, missed, what }: Returned): string {
  const away = `Back after ${(awayMs / 1000).toFixed(1)} s.`;
  if (!recovered) return `${away} The room was joined anew: everything is as it is now.`;
  if (missed === 0) return `${away} Nothing happened meanwhile.`;
  const list = what.length ? ` (${what.join(', ')})` : '';
  return `${away} ${counted(missed, 'event')} came back${list}: nothing was lost.`;
}
