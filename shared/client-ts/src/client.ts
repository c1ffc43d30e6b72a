// The client: one connection, and the universes that are open on it.
import type { EventOf, Limits, Mode, UniverseId, UserId } from '../../contract/protocol.ts';
import { Connection, type ClientOptions, type ClientSocket, type ClientState, type Clock } from './connection.ts';
import type { EventName } from './listeners.ts';
import type { Watchable } from './store.ts';
import { Universe } from './universe.ts';

export class Client implements Watchable<ClientState> {
  readonly #connection: Connection;
  readonly #universes = new Map<UniverseId, Universe>();

  constructor(options: ClientOptions) {
    this.#connection = new Connection(options);
    const { socket } = this.#connection;
    socket.onAny((event: string, payload: { universeId?: UniverseId; details?: { universeId?: UniverseId } }) => {
      if (event === 'error') for (const one of this.#universes.values()) one.heard(event, payload);
      else this.#universes.get(payload?.universeId ?? '')?.heard(event, payload);
    });
    socket.on('connect_success', ({ recovered }) => {
      for (const one of this.#universes.values()) one.connected(recovered);
    });
    socket.on('disconnect', () => {
      for (const one of this.#universes.values()) one.disconnected();
    });
    this.#connection.connect();
  }

  readonly getSnapshot = (): ClientState => this.#connection.state.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#connection.state.subscribe(listener);

  get status(): ClientState['status'] {
    return this.getSnapshot().status;
  }

  get userId(): UserId | undefined {
    return this.getSnapshot().userId;
  }

  get limits(): Limits | undefined {
    return this.getSnapshot().limits;
  }

  get clock(): Clock {
    return this.#connection.clock;
  }

  /** The official client's socket, for commands that this client has no function for. */
  get socket(): ClientSocket {
    return this.#connection.socket;
  }

  /** A universe, whose room is joined: the same object for the same id. `mode` applies the first time. */
  universe(id: UniverseId, mode: Mode = 'edit'): Universe {
    const known = this.#universes.get(id);
    if (known) return known;
    const universe = new Universe(this.#connection, id, mode);
    this.#universes.set(id, universe);
    return universe;
  }

  /** Call a listener for an event of any universe. Returns how to stop. */
  on<E extends EventName>(event: E, listener: (payload: EventOf<E>) => void): () => void {
    const socket = this.#connection.socket;
    socket.on(event, listener as never);
    return () => socket.off(event, listener as never);
  }

  /** Connect again after `close()` or after a refusal. */
  connect(): void {
    this.#connection.connect();
  }

  /** Leave all rooms and disconnect. */
  close(): void {
    // Saying goodbye to the server leaves the rooms there.
    this.#connection.close();
    for (const one of this.#universes.values()) one.leave();
  }
}

/** Connect to a gateway; `getToken` is asked for a token whenever one is needed. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}
