// Sends changes of parameters: one update at a time; at a limit, waiting changes are merged.
import { newId, type AcceptedOf, type Connection } from './connection.ts';
import { RefusedError } from './errors.ts';
import * as merge from './merge.ts';

/** The ack of an update that was carried out. */
export type Updated = AcceptedOf<'update_parameters'>;

/** The room that is updated: it is read, replaced, and told the outcome of updates. */
export interface Updatable {
  readonly id: string;
  room(): merge.Room | undefined;
  show(room: merge.Room): void;
  joined(): Promise<void>;
  /** An update was carried out, or refused; at a limit, updates go on in `waitMs`. */
  outcome(error?: Error, waitMs?: number): void;
}

interface Waiter {
  resolve(accepted: Updated): void;
  reject(error: Error): void;
}

const UNKNOWN_WAIT_MS = 1000;

export class Updates {
  readonly #connection: Connection;
  readonly #target: Updatable;
  // The callers of the waiting changes, which are sent and settled together.
  #waiters: Waiter[] = [];
  #flushing = false;

  constructor(connection: Connection, target: Updatable) {
    this.#connection = connection;
    this.#target = target;
  }

  /** Show the changes, and send them as soon as the limit allows. */
  add(room: merge.Room, changes: merge.Changes): Promise<Updated> {
    const promise = new Promise<Updated>((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
    this.#target.show(merge.queued(room, changes));
    void this.#flush();
    return promise;
  }

  /** Undo the waiting changes, and reject their promises. */
  undo(error: Error): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#settle(merge.waitingDropped);
    for (const { reject } of waiters) reject(error);
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#target.room()?.waiting) {
      await this.#connection.updateTurn();
      try {
        await this.#target.joined();
        await this.#send();
      } catch (error) {
        this.undo(error as Error);
      }
    }
    this.#flushing = false;
  }

  async #send(): Promise<void> {
    const room = this.#target.room();
    // The waiting changes were undone meanwhile.
    if (!room?.waiting) return;
    const opId = newId();
    const payload = { universeId: this.#target.id, opId, ...room.waiting };
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#target.show(merge.taken(room, opId));
    try {
      const accepted = await this.#connection.ask(
        'update_parameters',
        payload,
        () => this.#target.joined(),
        ({ code }) => code === 'RATE_LIMITED',
      );
      this.#settle(now => merge.acknowledged(now, opId, accepted.seq));
      this.#target.outcome();
      for (const { resolve } of waiters) resolve(accepted);
    } catch (error) {
      this.#failed(opId, error as Error, waiters);
    }
  }

  #failed(opId: string, error: Error, waiters: Waiter[]): void {
    if (error instanceof RefusedError && error.code === 'RATE_LIMITED' && this.#target.room()) {
      const waitMs = error.retryAfterMs ?? UNKNOWN_WAIT_MS;
      this.#connection.holdBack(waitMs);
      this.#waiters = [...waiters, ...this.#waiters];
      this.#settle(room => merge.returned(room, opId));
      this.#target.outcome(error, waitMs);
      return;
    }
    this.#settle(room => merge.dropped(room, opId));
    this.#target.outcome(error);
    for (const { reject } of waiters) reject(error);
  }

  #settle(how: (room: merge.Room) => merge.Room): void {
    const room = this.#target.room();
    if (room) this.#target.show(how(room));
  }
}
