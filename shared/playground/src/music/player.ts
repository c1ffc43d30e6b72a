// Plays pieces, and bars of endless ones, when everybody does: by the server's clock.
import type { Clock, MusicBar, MusicGenerated, Timestamp } from '@harmonic-universe/client';
import { Cell } from '../watched.ts';
import { withBar, type Endless } from './endless.ts';
import { HandOver } from './hand-over.ts';
import type { Orchestra } from './instruments.ts';
import { isOn, positionS, type Playing } from './timeline.ts';

/** What the page shows of the player. */
export interface PlayerState {
  readonly piece?: MusicGenerated;
  /** A piece that plays here. An endless one is not heard meanwhile. */
  readonly playing?: Playing<MusicGenerated>;
  readonly endless?: Endless;
  /** The bar of the endless piece that is on. */
  readonly bar?: MusicBar | undefined;
  /** `waiting`: browsers let pages sound only after a click or a key. */
  readonly sound: 'waiting' | 'on' | 'off';
  readonly volume: number;
}

const INTERVAL_MS = 100;
const REPLAY_DELAY_MS = 150;
/** The time before its beginning at which a bar that has not come is played by its forecast. */
const FORECAST_AHEAD_MS = 300;
/** A bar that begins later than its forecast by more is played anew. */
const SAME_BEGINNING_MS = 5;
/** How long bars are shown after their end. */
const SHOWN_AFTER_MS = 4000;
/** After this time without a bar, the page says that none is played. */
const MISSED_AFTER_MS = 500;
const VOLUME = 0.8;

export class Player {
  readonly state = new Cell<PlayerState>({ sound: 'waiting', volume: VOLUME });
  readonly #clock: Clock;
  #orchestra: Orchestra | undefined;
  #handOver: HandOver | undefined;
  #loading: Promise<Orchestra | undefined> | undefined;
  #endsAt: Timestamp | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The orchestra, once there is one. */
  get orchestra(): Orchestra | undefined {
    return this.#orchestra;
  }

  /** What is on at a time: the piece, or the bars of the endless one that are kept. */
  playing(nowMs: number): readonly Playing[] {
    const { playing, endless } = this.state.getSnapshot();
    if (isOn(playing, nowMs)) return [playing];
    // Until the first answer, the server's time is not known.
    if (!endless || this.#clock.rttMs === undefined) return [];
    const { bars, forecast } = endless;
    const isMissing = forecast && !this.#endsAt && this.#clock.until(forecast.startsAt) < FORECAST_AHEAD_MS;
    return [...bars, ...(isMissing ? [forecast] : [])].map(section => ({
      section,
      startMs: nowMs + this.#clock.until(section.startsAt),
    }));
  }

  /** A piece came: begin when everybody does, or in its middle. It does not interrupt an endless one. */
  hear(piece: MusicGenerated): void {
    if (!piece.playAt || this.state.getSnapshot().endless) return this.#change({ piece });
    this.#begin(piece, performance.now() + this.#clock.until(piece.playAt));
  }

  /** A bar of an endless piece came. */
  hearBar(bar: MusicBar): void {
    const { endless } = this.state.getSnapshot();
    if (endless?.streamId !== bar.streamId) this.#endsAt = undefined;
    const foreseen = endless && [...endless.bars, endless.forecast].find(one => one?.bar === bar.bar && one.streamId === bar.streamId);
    if (foreseen) this.#replaceForecast(foreseen, bar);
    const isOver = ({ startsAt, duration }: MusicBar) => this.#clock.until(startsAt) + duration * 1000 < -SHOWN_AFTER_MS;
    this.#change({ endless: withBar(endless, bar, isOver) });
    void this.#load();
    this.#goOn();
  }

  /** An endless piece ends. */
  end(streamId: string, endsAt: Timestamp): void {
    if (this.state.getSnapshot().endless?.streamId !== streamId) return;
    this.#endsAt = endsAt;
    this.#goOn();
  }

  /** Which endless piece is played, if one is: bars of another one are over. */
  follow(streamId: string | undefined): void {
    const { endless } = this.state.getSnapshot();
    if (endless && endless.streamId !== streamId) this.#endEndless();
  }

  /** Play the last piece again, here alone. */
  again(): void {
    const { piece } = this.state.getSnapshot();
    if (piece) this.#begin(piece, performance.now() + REPLAY_DELAY_MS);
  }

  /** End the piece, here alone. */
  stop(): void {
    const { playing: _, ...rest } = this.state.getSnapshot();
    this.state.set(rest);
    this.#restart();
  }

  /** Sound from now on; called by a click or a key, without which browsers refuse. */
  async unlock(): Promise<void> {
    if (this.state.getSnapshot().sound !== 'waiting') return;
    const orchestra = await this.#load();
    if (!orchestra) return;
    await orchestra.context.resume();
    if (this.state.getSnapshot().sound !== 'waiting') return;
    this.#change({ sound: 'on' });
    this.#restart();
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
    const { playing: _, endless: __, bar: ___, ...rest } = this.state.getSnapshot();
    this.state.set(rest);
    clearInterval(this.#timer);
    this.#isClosed = true;
    this.#orchestra?.close();
  }

  #begin(piece: MusicGenerated, startMs: number): void {
    this.#change({ piece, playing: { section: piece, startMs } });
    void this.#load();
    this.#restart();
  }

  #endEndless(): void {
    this.#endsAt = undefined;
    const { endless: _, bar: __, ...rest } = this.state.getSnapshot();
    this.state.set(rest);
    // A piece that plays here goes on.
    if (!rest.playing) this.#restart();
  }

  #replaceForecast(forecast: MusicBar, bar: MusicBar): void {
    if (Math.abs(Date.parse(bar.startsAt) - Date.parse(forecast.startsAt)) <= SAME_BEGINNING_MS) this.#handOver?.replace(forecast, bar);
    else if (this.#clock.until(forecast.startsAt) < FORECAST_AHEAD_MS) this.#handOver?.restart();
  }

  // Hand over everything anew, from where it is.
  #restart(): void {
    this.#handOver?.restart();
    this.#goOn();
  }

  // With a tick at once, and as many as there is something to play.
  #goOn(): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
    this.#tick();
  }

  #tick(): void {
    const { playing, endless, sound } = this.state.getSnapshot();
    const nowMs = performance.now();
    if (playing && !isOn(playing, nowMs)) return this.stop();
    if (endless && this.#endsAt && this.#clock.until(this.#endsAt) <= 0) return this.#endEndless();
    if (!playing && !endless) return clearInterval(this.#timer);
    this.#showBar(nowMs);
    if (sound !== 'waiting') this.#handOver?.advance(this.playing(nowMs), nowMs);
  }

  // A bar that was foreseen is on as well.
  #showBar(nowMs: number): void {
    const { bar } = this.state.getSnapshot();
    const on = this.playing(nowMs).find(one => positionS(one, nowMs) >= 0 && positionS(one, nowMs) < one.section.duration)?.section;
    if (on && 'bar' in on && on !== bar) this.#change({ bar: on });
    else if (!on && bar && this.#clock.until(bar.startsAt) + bar.duration * 1000 < -MISSED_AFTER_MS) this.#change({ bar: undefined });
  }

  #load(): Promise<Orchestra | undefined> {
    this.#loading ??= import('./instruments.ts').then(
      ({ Orchestra }) => {
        if (this.#isClosed) return undefined;
        const orchestra = new Orchestra();
        this.#orchestra = orchestra;
        this.#handOver = new HandOver(orchestra);
        this.#setVolume();
        if (orchestra.context.state === 'running') void this.unlock();
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
