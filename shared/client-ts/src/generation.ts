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
  const heard = new Store<{ pieces: MusicGenerated[]; failures: RefusedError[] }>({ pieces: [], failures: [] });
  // Refusals that acks have told of, by which `ask` asked again.
  const answered = new Set<string | undefined>();
  const stops = [
    audience.on('music_generated', piece => {
      if (piece.userId !== connection.state.getSnapshot().userId) return;
      heard.change({ pieces: [...heard.getSnapshot().pieces, piece] });
    }),
    audience.on('error', ({ code, message, details }) => {
      if (details.opId !== opId) return;
      const failure = new RefusedError({ code, message, details });
      heard.change({ failures: [...heard.getSnapshot().failures, failure] });
    }),
  ];
  try {
    const payload = { ...request, universeId: audience.id, opId };
    const { seq } = await connection.ask(
      'generate_music',
      payload,
      () => audience.joined(),
      ({ details }) => {
        answered.add(details.errorId);
        return false;
      },
    );
    const own = () => heard.getSnapshot().pieces.find(piece => piece.seq > seq);
    const failed = () => heard.getSnapshot().failures.find(({ details }) => !answered.has(details.errorId));
    const late = () => new UnansweredError('the piece did not come');
    await until(heard, () => Boolean(own() ?? failed()), MAX_PIECE_MS, late);
    const piece = own();
    if (!piece) throw failed();
    return piece;
  } finally {
    for (const stop of stops) stop();
  }
}
