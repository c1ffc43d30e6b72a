// Where one is: in the lobby, or in a universe.
import { useEffect, useState } from 'preact/hooks';
import { linkTo, read } from './address.ts';
import { Lobby } from './lobby.tsx';
import { Room } from './room/room.ts';
import { RoomView } from './room/room-view.tsx';
import { bearer, guest, type Session } from './session.ts';

interface Place {
  readonly session: Session;
  readonly universe: string;
}

/** Where the address leads with no further question. */
function addressed(): Place | undefined {
  const { universe, name, token } = read(location.href);
  // Nobody should copy it from the address.
  if (token) history.replaceState(null, '', location.pathname + location.search);
  if (!universe || !(token || name)) return undefined;
  return { universe, session: token ? bearer(token) : guest(name ?? '') };
}

export function App() {
  const [place, setPlace] = useState(addressed);
  const [room, setRoom] = useState<Room>();

  useEffect(() => {
    if (!place) return setRoom(undefined);
    const entered = new Room(place.session, place.universe);
    setRoom(entered);
    return () => entered.close();
  }, [place]);

  const enter = (session: Session, universe: string) => {
    history.replaceState(null, '', linkTo(location.origin, universe, session.name));
    setPlace({ session, universe });
  };
  const leave = () => {
    history.replaceState(null, '', '/');
    setPlace(undefined);
  };

  if (!place) return <Lobby onEnter={enter} />;
  return room ? <RoomView key={place} room={room} onLeave={leave} onEnter={enter} /> : null;
}
