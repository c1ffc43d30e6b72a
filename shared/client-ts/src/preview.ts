// What this client tries out, sent to the others at most as often as the server takes it.
import type { Connection } from './connection.ts';
import { isEmpty, withoutAll, type Changes } from './merge.ts';

// The others take a preview for ended after a second of silence.
const REPEAT_MS = 400;
const FORGOTTEN_AFTER_MS = 10_000;

export class Preview {
  /** After so long without a repetition, somebody else's preview is over. */
  static readonly SILENCE_MS = 1000;

  readonly #connection: Connection;
  readonly #universeId: string;
  readonly #shown: (changes: Changes) => void;
  #changes: Changes = {};
  #shownAtMs = 0;
  #sending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection, universeId: string, shown: (changes: Changes) => void) {
    this.#connection = connection;
    this.#universeId = universeId;
    this.#shown = shown;
  }

  /** Preview exactly these values; without values, end the preview. */
  show(changes: Changes): void {
    if (isEmpty(changes) && isEmpty(this.#changes)) return;
    this.#changes = changes;
    this.#shownAtMs = performance.now();
    this.#shown(changes);
    void this.#send();
  }

  /** End the preview, and tell the others. */
  end(): void {
    this.show({});
  }

  /** These values are sent as an update, which ends their preview everywhere. */
  committed(changes: Changes): void {
    this.#changes = withoutAll(this.#changes, changes) ?? {};
    if (isEmpty(this.#changes)) clearTimeout(this.#timer);
  }

  /** Forget the preview: the connection is broken. */
  drop(): void {
    clearTimeout(this.#timer);
    if (isEmpty(this.#changes)) return;
    this.#changes = {};
    this.#shown({});
  }

  // The preview of a held slider is repeated while it is held, up to a bound.
  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    await this.#connection.signalTurn('preview_parameters');
    this.#sending = false;
    clearTimeout(this.#timer);
    const changes = this.#changes;
    this.#connection.signal('preview_parameters', { universeId: this.#universeId, ...changes });
    if (isEmpty(changes)) return;
    this.#timer = setTimeout(() => {
      if (performance.now() - this.#shownAtMs > FORGOTTEN_AFTER_MS) this.end();
      else void this.#send();
    }, REPEAT_MS);
  }
}
