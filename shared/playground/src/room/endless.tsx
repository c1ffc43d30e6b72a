// The endless piece: started and ended, what its bar is like, and who moved what.
import { RefusedError } from '@harmonic-universe/client';
import { useEffect, useState } from 'preact/hooks';
import type { Move } from '../music/endless.ts';
import { scaleOption, spelt } from '../parameters.ts';
import { useWatched } from '../watched.ts';
import { useCountdown } from './notices.tsx';
import type { Room } from './room.ts';
import type { Style } from './styles.ts';

/** Moves are shown until this many bars after the first that follows them. */
const SHOWN_BARS = 2;
const TOLD_MS = 5000;

/** Start the endless piece, or end it, for everybody. */
export function EndlessButton({ room, style, mayEdit }: { room: Room; style: Style | ''; mayEdit: boolean }) {
  const { universe } = room;
  const isOn = useWatched(universe, ({ endlessPiece }) => endlessPiece !== undefined);
  const [isBusy, setBusy] = useState(false);
  const [untilMs, setUntilMs] = useState<number>();
  const [problem, setProblem] = useState('');
  const seconds = useCountdown(untilMs);
  const press = async () => {
    // The button stays where the keyboard is.
    if (isBusy) return;
    setBusy(true);
    setProblem('');
    void room.player.unlock();
    try {
      await (isOn ? universe.stopMusic() : universe.startMusic(style ? { style } : {}));
    } catch (error) {
      const waitMs = error instanceof RefusedError && error.code === 'RATE_LIMITED' ? error.retryAfterMs : undefined;
      if (waitMs === undefined) setProblem(problemOf(error));
      else setUntilMs(performance.timeOrigin + performance.now() + waitMs);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" class="endless" aria-busy={isBusy} disabled={!mayEdit || seconds !== undefined} onClick={() => void press()}>
        {isOn ? 'Stop the endless piece' : 'Play without an end'}
      </button>
      <p role="status" class="wait">
        {seconds === undefined ? problem : `That was a lot of music: again in ${seconds} s.`}
      </p>
    </>
  );
}

// Somebody else was faster, or the server plays none.
function problemOf(error: unknown): string {
  if (error instanceof RefusedError && error.reason === 'PLAYING') return '';
  if (error instanceof RefusedError && error.code === 'NOT_FOUND') return '';
  if (error instanceof RefusedError && error.reason === 'SWITCHED_OFF') return 'This server plays no endless pieces.';
  return error instanceof Error ? `${error.message}.` : 'This did not work.';
}

/** The bar that sounds, and what is different in the next one. */
export function BarFacts({ room }: { room: Room }) {
  const [bar, endless] = useWatched(room.player.state, state => [state.bar, state.endless] as const);
  const piece = useWatched(room.universe, ({ endlessPiece }) => endlessPiece);
  const by = useWatched(room.universe, ({ participants }) => participants.find(({ userId }) => userId === piece?.userId)?.username);
  const isAway = useWatched(room.universe, ({ status }) => status !== 'joined');
  if (!bar || bar.streamId !== endless?.streamId) {
    return <>{isAway ? 'The endless piece is heard again once the connection is back.' : 'The next bar is on its way…'}</>;
  }
  const next = endless.bars.find(one => one.bar > bar.bar);
  const [now, then] = [tuning(bar), next && tuning(next)];
  return (
    <>
      <b data-bar={bar.bar}>{`Bar ${bar.bar + 1}`}</b>
      {bar.style && ` · ${bar.style}`}
      {` · ${now}`}
      {by && ` · started by ${by}`}
      {then && then !== now && <span class="then">{` · next: ${then}`}</span>}
    </>
  );
}

function tuning({ key, scale, tempo }: { key: string; scale: string; tempo: number }): string {
  return `${spelt(key)} ${scaleOption(scale).replaceAll('_', ' ')} · ${Math.round(tempo)} bpm`;
}

/** Who moved what, and from when on that is heard. */
export function MoveList({ room }: { room: Room }) {
  const moves = useWatched(room.moves.recent, state => state);
  const bar = useWatched(room.player.state, state => state.bar?.bar ?? -1);
  const isOn = useWatched(room.player.state, ({ endless }) => endless !== undefined);
  // Colours are shown by the participants themselves.
  useWatched(room.universe, ({ presences }) => presences);
  const shown = isOn ? moves.filter(move => move.bar === undefined || bar < move.bar + SHOWN_BARS) : [];
  return (
    <div class="moves" role="log" aria-label="What was moved">
      {shown.map(move => (
        <p key={move.seq} style={{ '--hue': room.hue(move.userId) }}>
          <span class="dot" aria-hidden="true" />
          {`${room.nameOf(move.userId)}: ${move.what}`}
          <small aria-hidden="true">{whenHeard(move, bar)}</small>
        </p>
      ))}
    </div>
  );
}

function whenHeard({ bar }: Move, on: number): string {
  if (bar === undefined) return 'to be heard soon';
  return on < bar ? `from bar ${bar + 1}` : 'heard now';
}

/** Who started the piece or has ended it, for those who do not see it. */
export function EndlessNews({ room }: { room: Room }) {
  const [news, setNews] = useState('');
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = (text: string) => {
      clearTimeout(timer);
      setNews(text);
      timer = setTimeout(() => setNews(''), TOLD_MS);
    };
    const stops = [
      room.universe.on('music_started', ({ userId }) => tell(`The endless piece begins, started by ${room.nameOf(userId)}.`)),
      room.universe.on('music_stopped', ({ userId }) => tell(userId ? `The endless piece was stopped by ${room.nameOf(userId)}.` : 'The endless piece is over.')),
    ];
    return () => {
      for (const stop of stops) stop();
      clearTimeout(timer);
    };
  }, [room]);
  return (
    <p role="status" class="news">
      {news}
    </p>
  );
}
