// Cutting the connection, and what came back after it.
import type { Client, EventName, Universe } from '@harmonic-universe/client';
import { words } from '../parameters.ts';
import { Cell } from '../watched.ts';

/** What became of a broken connection. */
export interface Returned {
  readonly awayMs: number;
  /** Whether all that was missed was sent again; otherwise the room was joined anew. */
  readonly recovered: boolean;
  /** How many events were sent again. */
  readonly missed: number;
  /** What they were, in words. */
  readonly what: readonly string[];
}

/** A cut lasts so long, so that something can happen meanwhile. */
const CUT_MS = 3000;
const USUAL_DELAY_MS = 1000;
/** `state_recovered` comes soon after the connection, or the room is joined anew. */
const PATIENCE_MS = 6000;

export class Absence {
  /** `undefined` until a connection has broken and come back. */
  readonly returned = new Cell<Returned | undefined>(undefined);
  readonly #client: Client;
  readonly #stops: (() => void)[];
  #awaySinceMs: number | undefined;
  #what = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, universe: Universe) {
    this.#client = client;
    const sets = ['physics_updated', 'music_updated', 'visualization_updated'] as const satisfies readonly EventName[];
    const { socket } = client;
    const away = () => this.#away();
    socket.on('disconnect', away);
    this.#stops = [
      () => socket.off('disconnect', away),
      ...sets.map(event =>
        universe.on(event, ({ replayed, changed }) => {
          if (replayed) for (const field of changed) this.#what.add(words(field));
        }),
      ),
      universe.on('music_generated', ({ replayed, notes }) => {
        if (replayed) this.#what.add(`a piece of ${notes.length} notes`);
      }),
      universe.on('state_recovered', ({ recovered, missed }) => this.#back(recovered, missed)),
      universe.on('room_joined', () => this.#joined()),
    ];
  }

  /** Break the connection, as a network does; the client comes back by itself. */
  cut(): void {
    const manager = this.#client.socket.io;
    manager.reconnectionDelay(CUT_MS);
    this.#client.socket.once('connect', () => manager.reconnectionDelay(USUAL_DELAY_MS));
    manager.engine.close();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const stop of this.#stops) stop();
  }

  #away(): void {
    clearTimeout(this.#timer);
    this.#awaySinceMs ??= performance.now();
    this.#what = new Set();
    this.returned.set(undefined);
  }

  #joined(): void {
    if (this.#awaySinceMs === undefined) return;
    // Where the session goes on, `state_recovered` follows.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#back(false, 0), PATIENCE_MS);
  }

  #back(recovered: boolean, missed: number): void {
    if (this.#awaySinceMs === undefined) return;
    clearTimeout(this.#timer);
    const awayMs = performance.now() - this.#awaySinceMs;
    this.#awaySinceMs = undefined;
    this.returned.set({ awayMs, recovered, missed, what: [...this.#what] });
  }
}
