// This client's state, sent at most as often as the server accepts it.
import type { PayloadOf } from '../../contract/protocol.ts';
import type { Connection } from './connection.ts';

/** Any JSON object of at most 1 KiB: a cursor, a colour, which slider is held. */
export type PresenceState = PayloadOf<'update_presence'>['state'];

export class Presence {
  readonly #connection: Connection;
  readonly #universeId: string;
  #state: PresenceState | undefined;
  #sending = false;

  constructor(connection: Connection, universeId: string) {
    this.#connection = connection;
    this.#universeId = universeId;
  }

  /** Replace the state. */
  show(state: PresenceState): void {
    this.#state = state;
    void this.send();
  }

  /** Remove the state. */
  end(): void {
    this.#state = undefined;
  }

  /** Send the newest state, in its turn. */
  async send(): Promise<void> {
    if (this.#sending || !this.#state) return;
    this.#sending = true;
    await this.#connection.signalTurn('update_presence');
    this.#sending = false;
    const state = this.#state;
    if (state) this.#connection.signal('update_presence', { universeId: this.#universeId, state });
  }
}
