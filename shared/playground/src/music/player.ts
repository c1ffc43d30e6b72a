// Plays pieces when everybody does: by the server's clock, a little ahead of the sound.
import type { Clock, MusicGenerated } from '@harmonic-universe/client';
import { Cell } from '../watched.ts';
import type { Orchestra } from './instruments.ts';
import { beginning, isOn, positionS, type Playing } from './timeline.ts';

/** What the page shows of the player. */
export interface PlayerState {
  readonly piece?: MusicGenerated;
  readonly playing?: Playing;
  /** `waiting`: browsers let pages sound only after a click or a key. */
  readonly sound: 'waiting' | 'on' | 'off';
  readonly volume: number;
}

/** Notes are handed to the orchestra so long before they sound: timers of hidden pages come once a second. */
const AHEAD_S = 1.6;
const INTERVAL_MS = 100;
/** What should have begun longer ago is left out. */
const LATE_S = 0.06;
const REPLAY_DELAY_MS = 150;
const VOLUME = 0.8;

export class Player {
  readonly state = new Cell<PlayerState>({ sound: 'waiting', volume: VOLUME });
  #orchestra: Orchestra | undefined;
  #loading: Promise<Orchestra | undefined> | undefined;
  #handedS = 0;
  // When the piece began by the context's clock, which moves in steps: the latest that it showed.
  #zeroS = -Infinity;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** The orchestra, once there is one. */
  get orchestra(): Orchestra | undefined {
    return this.#orchestra;
  }

  /** A piece came: begin when everybody does, or in its middle. */
  hear(piece: MusicGenerated, clock: Clock): void {
    if (!piece.playAt) return this.#change({ piece });
    this.#begin(piece, performance.now() + clock.until(piece.playAt));
  }

  /** Play the last piece again, here alone. */
  again(): void {
    const { piece } = this.state.getSnapshot();
    if (piece) this.#begin(piece, performance.now() + REPLAY_DELAY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#orchestra?.silence();
    const { playing: _, ...rest } = this.state.getSnapshot();
    this.state.set(rest);
  }

  /** Sound from now on; called by a click or a key, without which browsers refuse. */
  async unlock(): Promise<void> {
    if (this.state.getSnapshot().sound !== 'waiting') return;
    const orchestra = await this.#load();
    if (!orchestra) return;
    await orchestra.context.resume();
    if (this.state.getSnapshot().sound !== 'waiting') return;
    this.#change({ sound: 'on' });
    this.#resume();
  }

  mute(isMuted: boolean): void {
    this.#change({ sound: isMuted ? 'off' : 'on' });
    this.#setVolume();
  }

  set volume(volume: number) {
    this.#change({ volume });
    this.#setVolume();
  }

  close(): void {
    this.stop();
    this.#orchestra?.close();
  }

  #begin(piece: MusicGenerated, startMs: number): void {
    this.stop();
    this.#change({ piece, playing: { piece, startMs } });
    void this.#load();
    this.#resume();
  }

  // Prepare the piece, and hand over what comes, from where it is.
  #resume(): void {
    const { playing } = this.state.getSnapshot();
    clearInterval(this.#timer);
    if (!isOn(playing, performance.now())) return;
    this.#orchestra?.prepare(playing.piece);
    this.#zeroS = -Infinity;
    this.#handedS = Math.max(0, positionS(playing, performance.now()) - LATE_S);
    this.#handOver();
    this.#timer = setInterval(() => this.#handOver(), INTERVAL_MS);
  }

  #handOver(): void {
    const { playing, sound } = this.state.getSnapshot();
    const nowMs = performance.now();
    if (!isOn(playing, nowMs)) return this.stop();
    const orchestra = this.#orchestra;
    if (!orchestra || sound === 'waiting') return;
    const toS = positionS(playing, nowMs) + AHEAD_S;
    const fromS = this.#handedS;
    this.#handedS = toS;
    this.#zeroS = Math.max(this.#zeroS, orchestra.context.currentTime - positionS(playing, nowMs));
    const at = (startTime: number) => Math.max(orchestra.context.currentTime, this.#zeroS + startTime);
    for (const note of beginning(playing.piece.notes, fromS, toS)) orchestra.note(note, at(note.startTime));
    for (const stroke of beginning(playing.piece.drums ?? [], fromS, toS)) orchestra.stroke(stroke, at(stroke.startTime));
  }

  #load(): Promise<Orchestra | undefined> {
    this.#loading ??= import('./instruments.ts').then(
      ({ Orchestra }) => {
        const orchestra = new Orchestra();
        this.#orchestra = orchestra;
        this.#setVolume();
        if (orchestra.context.state === 'running') void this.unlock();
        this.#resume();
        return orchestra;
      },
      () => undefined,
    );
    return this.#loading;
  }

  #setVolume(): void {
    const { sound, volume } = this.state.getSnapshot();
    if (this.#orchestra) this.#orchestra.volume = sound === 'off' ? 0 : volume;
  }

  #change(part: Partial<PlayerState>): void {
    this.state.set({ ...this.state.getSnapshot(), ...part });
  }
}
