// Music: asking for a piece, its roll, its sound and its file.
import { RefusedError, type MusicGenerated } from '@harmonic-universe/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { fit } from '../canvas.ts';
import { counted } from '../explanations.ts';
import { capital, scaleOption, spelt } from '../parameters.ts';
import { call } from '../session.ts';
import { drawRoll } from '../music/roll.ts';
import { pitchRange } from '../music/timeline.ts';
import { useWatched } from '../watched.ts';
import { BarFacts, EndlessButton, EndlessNews, MoveList } from './endless.tsx';
import { useCountdown } from './notices.tsx';
import type { Room } from './room.ts';
import { STYLES, type Style } from './styles.ts';

const DURATIONS_S = [8, 16, 30, 60] as const;
const STILL_INTERVAL_MS = 250;
/** Smoother than 30 frames a second, nobody sees it. */
const MIN_INTERVAL_MS = 25;

export function Dock({ room }: { room: Room }) {
  const { player } = room;
  const [piece, isPlaying, isEndless] = useWatched(
    player.state,
    state => [state.piece, state.playing !== undefined, state.endless !== undefined] as const,
  );
  return (
    <section class="dock" aria-labelledby="dock-title">
      <h2 id="dock-title" class="hidden">
        The piece
      </h2>
      <MoveList room={room} />
      <Roll room={room} />
      <div class="transport">
        <Composer room={room} />
        {isEndless && !isPlaying ? (
          // Of each bar, nobody wants to be told.
          <p class="piece">
            <BarFacts room={room} />
          </p>
        ) : (
          <p class="piece" role="status">
            {piece ? <About room={room} piece={piece} /> : 'No piece yet: generate one, and everybody here hears it.'}
          </p>
        )}
        <EndlessNews room={room} />
        <div class="buttons">
          <button type="button" disabled={!piece} onClick={() => (isPlaying ? player.stop() : player.again())}>
            {isPlaying ? 'Stop' : isEndless ? 'Play the piece' : 'Play again'}
          </button>
          <MidiButton room={room} piece={piece} />
          <Sound room={room} />
        </div>
      </div>
    </section>
  );
}

function About({ room, piece }: { room: Room; piece: MusicGenerated }) {
  const by = useWatched(room.universe, ({ participants }) => participants.find(({ userId }) => userId === piece.userId)?.username);
  const scale = scaleOption(piece.scale).replaceAll('_', ' ');
  const facts = [piece.style, `${spelt(piece.key)} ${scale}`, `${Math.round(piece.tempo)} bpm`, `${piece.duration} s`];
  return (
    <>
      <b>{counted(piece.notes.length, 'note')}</b>
      {facts.map(fact => fact && ` · ${fact}`)}
      {by && ` · by ${by}`}
    </>
  );
}

function Composer({ room }: { room: Room }) {
  const { universe } = room;
  const mayEdit = useWatched(universe, ({ mode, status }) => mode === 'edit' && status !== 'refused');
  const [style, setStyle] = useState<Style | ''>('');
  const [duration, setDuration] = useState<number>(DURATIONS_S[1]);
  const [isBusy, setBusy] = useState(false);
  const [untilMs, setUntilMs] = useState<number>();
  const [problem, setProblem] = useState('');
  const seconds = useCountdown(untilMs);

  const generate = async () => {
    // The button stays where the keyboard is.
    if (isBusy) return;
    setBusy(true);
    setProblem('');
    void room.player.unlock();
    try {
      await universe.generate({ duration, ...(style && { style }) });
    } catch (error) {
      const waitMs = error instanceof RefusedError && error.code === 'RATE_LIMITED' ? error.retryAfterMs : undefined;
      if (waitMs === undefined) setProblem(error instanceof Error ? error.message : 'This did not work');
      else setUntilMs(performance.timeOrigin + performance.now() + waitMs);
    } finally {
      setBusy(false);
    }
  };
  const waiting = seconds === undefined ? problem && `${problem}.` : `That was a lot of music: the next piece in ${seconds} s.`;
  return (
    <div class="composer">
      <button
        type="button"
        class="primary"
        aria-busy={isBusy}
        disabled={!mayEdit || seconds !== undefined}
        onClick={() => void generate()}
      >
        {isBusy ? 'Generating music…' : 'Generate music'}
      </button>
      <EndlessButton room={room} style={style} mayEdit={mayEdit} />
      <label>
        <span class="hidden">style</span>
        <select value={style} disabled={!mayEdit} onChange={event => setStyle(event.currentTarget.value as Style | '')}>
          <option value="">Any style</option>
          {STYLES.map(each => (
            <option key={each} value={each}>
              {capital(each)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="hidden">length</span>
        <select value={duration} disabled={!mayEdit} onChange={event => setDuration(Number(event.currentTarget.value))}>
          {DURATIONS_S.map(each => (
            <option key={each} value={each}>{`${each} s`}</option>
          ))}
        </select>
      </label>
      <p role="status" class="wait">
        {waiting}
      </p>
    </div>
  );
}

function MidiButton({ room, piece }: { room: Room; piece: MusicGenerated | undefined }) {
  const [problem, setProblem] = useState('');
  const download = async () => {
    setProblem('');
    try {
      const { items } = await call<{ items: { requestId: string; midi: string }[] }>(
        room.session,
        'GET',
        `/universes/${room.universe.id}/music`,
      );
      const link = items.find(({ requestId }) => requestId === piece?.requestId)?.midi;
      if (!link) return setProblem('The piece is not kept any more.');
      const anchor = Object.assign(document.createElement('a'), { href: link, download: '' });
      anchor.click();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : 'This did not work.');
    }
  };
  return (
    <>
      <button type="button" disabled={!piece} onClick={() => void download()}>
        Download MIDI
      </button>
      {problem && <small role="status">{problem}</small>}
    </>
  );
}

function Sound({ room: { player } }: { room: Room }) {
  const [sound, volume] = useWatched(player.state, state => [state.sound, state.volume] as const);
  const press = () => (sound === 'waiting' ? void player.unlock() : player.mute(sound === 'on'));
  return (
    <div class="sound">
      <button type="button" aria-pressed={sound === 'on'} class={sound === 'waiting' ? 'asks' : ''} onClick={press}>
        {sound === 'waiting' ? 'Turn the sound on' : sound === 'on' ? 'Sound is on' : 'Sound is off'}
      </button>
      <input
        type="range"
        aria-label="volume"
        min={0}
        max={1}
        step={0.05}
        value={volume}
        style={{ '--part': volume }}
        onInput={event => {
          player.volume = event.currentTarget.valueAsNumber;
        }}
      />
    </div>
  );
}

function Roll({ room }: { room: Room }) {
  const { player, frames } = room;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { piece, playing, endless } = useWatched(player.state, state => state);
  const shown = useRef({ endless });
  shown.current = { endless };
  const isEndless = endless !== undefined;
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!canvas.current || !context || !(piece || isEndless)) return;
    const roll = canvas.current;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const still = matchMedia('(prefers-reduced-motion: reduce)');
    let stop = () => {};
    let drawnMs = -Infinity;
    const draw = (atMs: number) => {
      const intervalMs = still.matches ? STILL_INTERVAL_MS : MIN_INTERVAL_MS;
      if (atMs - drawnMs < intervalMs) return;
      drawnMs = atMs;
      const nowMs = performance.now();
      const sections = player.playing(nowMs);
      const [first] = sections;
      const bars = first && 'bar' in first.section ? shown.current.endless : undefined;
      fit(roll, context);
      drawRoll(context, first || !piece ? sections : [{ section: piece, startMs: nowMs }], {
        width: roll.clientWidth,
        height: roll.clientHeight,
        isDark: dark.matches,
        isStill: still.matches,
        nowMs,
        pitches: bars?.pitches ?? pitchRange(piece?.notes ?? []),
        flags: section => room.flags(section),
      });
      if (!first && !isEndless) stop();
    };
    const redraw = () => {
      stop();
      drawnMs = -Infinity;
      stop = frames.add(draw);
    };
    const sizes = new ResizeObserver(redraw);
    sizes.observe(roll);
    dark.addEventListener('change', redraw);
    return () => {
      stop();
      sizes.disconnect();
      dark.removeEventListener('change', redraw);
    };
  }, [room, piece, playing, isEndless]);
  const label = endless && !playing ? 'Piano roll of the endless piece' : piece ? `Piano roll of ${counted(piece.notes.length, 'note')}` : 'Piano roll, empty';
  const startsAt = playing && performance.timeOrigin + playing.startMs;
  return <canvas class="roll" ref={canvas} role="img" aria-label={label} data-starts-at-ms={startsAt} />;
}
