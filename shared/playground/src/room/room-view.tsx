// A universe: its stage, its music, and everything that one can move.
import { useEffect, useState } from 'preact/hooks';
import { linkTo } from '../address.ts';
import { Mark } from '../mark.tsx';
import type { Session } from '../session.ts';
import { useWatched } from '../watched.ts';
import { Connection, stateOf } from './connection.tsx';
import { Controls } from './controls.tsx';
import { Dock } from './dock.tsx';
import { LiveSound } from './live-sound.tsx';
import { Barrier, Toasts, useObstacle } from './notices.tsx';
import { People } from './people.tsx';
import type { Room } from './room.ts';
import { StageView } from './stage-view.tsx';

interface RoomViewProps {
  room: Room;
  onEnter: (session: Session, universe: string) => void;
  onLeave: () => void;
}

const COPIED_MS = 2500;

export function RoomView({ room, onEnter, onLeave }: RoomViewProps) {
  const status = useWatched(room.universe, state => state.status);
  const isView = useWatched(room.universe, ({ mode }) => mode === 'view');
  const obstacle = useObstacle(room);
  useSoundByGesture(room);
  return (
    <>
      <div class="room" data-status={status} inert={obstacle !== undefined}>
        <a class="skip" href="#controls">
          To the controls
        </a>
        <Header room={room} onLeave={onLeave} />
        <main>
          <h1 class="hidden">{`Universe ${room.universe.id}`}</h1>
          <StageView room={room} />
          {isView && <p class="view-only">You are watching: the sliders move for those who may edit.</p>}
          <Toasts room={room} />
          <Dock room={room} />
        </main>
        <aside id="controls" aria-label="Controls" tabIndex={-1}>
          <People room={room} />
          <Controls room={room} set="physics" />
          <Controls room={room} set="music" />
          <Controls room={room} set="visualization" />
          <LiveSound room={room} />
          <Connection room={room} />
        </aside>
      </div>
      {obstacle && <Barrier room={room} error={obstacle} onEnter={onEnter} onLeave={onLeave} />}
    </>
  );
}

// Browsers let a page sound once somebody has touched it, wherever.
function useSoundByGesture(room: Room): void {
  useEffect(() => {
    const unlock = () => void room.player.unlock();
    const options = { once: true, capture: true };
    addEventListener('pointerup', unlock, options);
    addEventListener('keydown', unlock, options);
    return () => {
      removeEventListener('pointerup', unlock, options);
      removeEventListener('keydown', unlock, options);
    };
  }, [room]);
}

function Header({ room, onLeave }: { room: Room; onLeave: () => void }) {
  const { name } = useWatched(room.about, state => state);
  const [status, quality] = useWatched(room.client, state => [state.status, state.quality] as const);
  return (
    <header>
      <Mark />
      <p class="title">{name ?? room.universe.id}</p>
      <p class="state" role="status">
        <span class={`signal ${status === 'connected' ? quality : 'offline'}`} aria-hidden="true" />
        {stateOf(status, quality)}
      </p>
      <ShareButton universe={room.universe.id} />
      <button type="button" onClick={onLeave}>
        Leave
      </button>
    </header>
  );
}

function ShareButton({ universe }: { universe: string }) {
  const [shown, setShown] = useState<'no' | 'copied' | 'link'>('no');
  const link = linkTo(location.origin, universe);
  const share = async () => {
    try {
      await navigator.clipboard.writeText(link);
      setShown('copied');
      setTimeout(() => setShown('no'), COPIED_MS);
    } catch {
      // Pages without TLS have no clipboard everywhere: the link is shown.
      setShown('link');
    }
  };
  if (shown === 'link') {
    return <input class="link" aria-label="Link to this universe" readOnly value={link} onFocus={event => event.currentTarget.select()} />;
  }
  return (
    <button type="button" class="primary" onClick={() => void share()}>
      {shown === 'copied' ? 'Copied' : 'Share'}
      <span class="wide">{shown === 'copied' ? '' : ' the link'}</span>
    </button>
  );
}
