// Asking for a piece, and waiting for it.
import type { EventOf, MusicGenerated, PayloadOf } from '../../contract/protocol.ts';
import { newId, type Connection } from './connection.ts';
import { RefusedError, UnansweredError } from './errors.ts';
import type { EventName } from './listeners.ts';
import { Store, until } from './store.ts';

/** What to ask a piece for: `duration` in seconds, and what it is to be like. */
export type Generation = Omit<PayloadOf<'generate_music'>, 'universeId' | 'opId' | 'traceparent'>;

/** Where a piece is asked for, and heard. */
export interface Audience {
  readonly id: string;
  joined(): Promise<void>;
  on<E extends EventName>(event: E, listener: (payload: EventOf<E>) => void): () => void;
}

// The server gives up after 5 s; a connection may break and come back meanwhile.
const MAX_PIECE_MS = 15_000;

/** Resolves to the piece once everyone hears it. A user's pieces in a universe are made in turn. */
export async function generate(
  connection: Connection,
  audience: Audience,
  request: Generation,
): Promise<MusicGenerated> {
  const opId = newId();
  const heard = new Store<{ pieces: MusicGenerated[]; failure?: Error }>({ pieces: [] });
  const stops = [
    audience.on('music_generated', piece => {
      if (piece.userId !== connection.state.getSnapshot().userId) return;
      heard.change({ pieces: [...heard.getSnapshot().pieces, piece] });
    }),
    audience.on('error', ({ code, message, details }) => {
      if (details.opId !== opId) return;
      heard.change({ failure: new RefusedError({ code, message, details }) });
    }),
  ];
  try {
    const payload = { ...request, universeId: audience.id, opId };
    const { seq } = await connection.ask('generate_music', payload, () => audience.joined());
    // Refusals before the ack were answered by asking again.
    const { pieces } = heard.getSnapshot();
    heard.replace({ pieces });
    const own = () => heard.getSnapshot().pieces.find(piece => piece.seq > seq);
    const late = () => new UnansweredError('the piece did not come');
    await until(heard, ({ failure }) => Boolean(own() ?? failure), MAX_PIECE_MS, late);
    const piece = own();
    if (!piece) throw heard.getSnapshot().failure;
    return piece;
  } finally {
    for (const stop of stops) stop();
  }
}
