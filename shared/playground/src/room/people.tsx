// Who is in the room.
import { useWatched } from '../watched.ts';
import { counted } from '../explanations.ts';
import type { Room } from './room.ts';

export function People({ room }: { room: Room }) {
  const participants = useWatched(room.universe, state => state.participants);
  // Colours are shown by the participants themselves.
  useWatched(room.universe, state => state.presences);
  const audible = useWatched(room.audible, users => users);
  const me = useWatched(room.client, ({ userId }) => userId);
  return (
    <section class="group" aria-labelledby="people-title">
      <h2 id="people-title">{counted(participants.length, 'person', 'people')} here</h2>
      <ul class="people">
        {participants.map(({ userId, username, mode }) => (
          <li key={userId} style={{ '--hue': room.hue(userId) }}>
            <span class="dot" aria-hidden="true" />
            <span class="who">{username}</span>
            {userId === me && <small>you</small>}
            {audible.includes(userId) && <small>live sound</small>}
            {mode === 'view' && <small>watching</small>}
          </li>
        ))}
      </ul>
    </section>
  );
}
