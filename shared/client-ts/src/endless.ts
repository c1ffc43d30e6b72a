// The endless piece: started and ended, and each of its bars heard once.
import type { EventOf, PayloadOf } from '../../contract/protocol.ts';
import { newId, type Connection } from './connection.ts';

/** What an endless piece is to be like. */
export type MusicWish = Omit<PayloadOf<'start_music'>, 'universeId' | 'opId' | 'traceparent'>;

// More than are sent again to a client that returns.
const KNOWN_BARS = 32;

/** Knows the latest bars: a client that returns is sent again those that have not ended. */
export class KnownBars {
  readonly #known = new Set<string>();

  isNew({ streamId, bar }: EventOf<'music_bar'>): boolean {
    const key = `${streamId} ${bar}`;
    if (this.#known.has(key)) return false;
    this.#known.add(key);
    const [oldest] = this.#known;
    if (this.#known.size > KNOWN_BARS && oldest !== undefined) this.#known.delete(oldest);
    return true;
  }
}

/** Have a universe play on; resolves once it is stored. */
export async function startMusic(
  connection: Connection,
  universeId: string,
  wish: MusicWish,
  joined: () => Promise<void>,
): Promise<void> {
  await connection.ask('start_music', { ...wish, universeId, opId: newId() }, joined);
}

/** End what a universe plays; resolves once it is stored. */
export async function stopMusic(
  connection: Connection,
  universeId: string,
  joined: () => Promise<void>,
): Promise<void> {
  await connection.ask('stop_music', { universeId, opId: newId() }, joined);
}
