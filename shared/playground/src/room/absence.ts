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
/** How long the client waits before it tries again: at first, and at most. */
const USUAL_DELAYS_MS = [1000, 5000] as const;
/** While an endless piece plays, the page has music for some seconds: it tries often for as long. */
const HASTY_DELAY_MS = 500;
const HASTY_MS = 8000;
/** `state_recovered` comes soon after the connection, or the room is joined anew. */
const PATIENCE_MS = 6000;

export class Absence {
  /** `undefined` until a connection has broken and come back. */
  readonly returned = new Cell<Returned | undefined>(undefined);
  readonly #client: Client;
  readonly #stops: (() => void)[];
  readonly #universe: Universe;
  #isCut = false;
  #awaySinceMs: number | undefined;
  #what = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #haste: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, universe: Universe) {
    this.#client = client;
    this.#universe = universe;
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
    this.#isCut = true;
    this.#client.socket.io.engine.close();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#haste);
    for (const stop of this.#stops) stop();
  }

  #away(): void {
    clearTimeout(this.#timer);
    this.#awaySinceMs ??= performance.now();
    this.#what = new Set();
    this.returned.set(undefined);
    this.#pace();
  }

  // Called before the client plans its first attempt.
  #pace(): void {
    const { endlessPiece } = this.#universe.getSnapshot();
    const hasty = endlessPiece && ([HASTY_DELAY_MS, HASTY_DELAY_MS] as const);
    this.#wait(this.#isCut ? [CUT_MS, USUAL_DELAYS_MS[1]] : (hasty ?? USUAL_DELAYS_MS));
    this.#isCut = false;
    clearTimeout(this.#haste);
    this.#haste = setTimeout(() => this.#wait(USUAL_DELAYS_MS), HASTY_MS);
  }

  #wait([firstMs, mostMs]: readonly [number, number]): void {
    this.#client.socket.io.reconnectionDelay(firstMs).reconnectionDelayMax(mostMs);
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
