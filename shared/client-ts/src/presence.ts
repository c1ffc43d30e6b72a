// What this client shows of itself, sent at most as often as the server takes it.
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

  /** Show this, in place of what was shown before. */
  show(state: PresenceState): void {
    this.#state = state;
    void this.send();
  }

  /** Show nothing any more. */
  end(): void {
    this.#state = undefined;
  }

  /** Send what is shown: the newest of what waits for its turn. */
  async send(): Promise<void> {
    if (this.#sending || !this.#state) return;
    this.#sending = true;
    await this.#connection.signalTurn('update_presence');
    this.#sending = false;
    const state = this.#state;
    if (state) this.#connection.signal('update_presence', { universeId: this.#universeId, state });
  }
}
