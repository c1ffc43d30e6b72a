// A universe that the page is in: the client, what it plays and hears, and where people's hands are.
import { createClient, RefusedError, type Client, type Universe } from '@harmonic-universe/client';
import { hueOf } from '../palettes.ts';
import { call, type Session } from '../session.ts';
import { Frames } from '../frames.ts';
import { Hearing } from '../music/hearing.ts';
import { Player } from '../music/player.ts';
import type { Flag } from '../music/roll.ts';
import { Strokes, type NoteStroke } from '../music/strokes.ts';
import type { Section } from '../music/timeline.ts';
import type { Heard, ShownHand } from '../stage/overlay.ts';
import type { Scene } from '../stage/stage.ts';
import { Cell } from '../watched.ts';
import { Absence } from './absence.ts';
import { freeHue, readHand, type OwnHand } from './hands.ts';
import { Moves } from './moves.ts';

/** What is known of the universe beside its parameters. */
export interface About {
  readonly name?: string;
}

/** What was last heard of somebody. */
interface Sound extends Omit<Heard, 'hue'> {
  readonly atMs: number;
}

/** A spectrum that is not followed by another one is shown no longer. */
const HEARD_MS = 600;
/** After joining, the others' states come; then there is a colour to choose. */
const CHOICE_MS = 400;
const MAX_SHOWN_NUMBERS = 256;
const MAX_FRAMES_PER_S = 60;

/** Whether somebody who was refused to edit may view. */
export function mayView(error: Error | undefined): boolean {
  return error instanceof RefusedError && error.details.allowedMode === 'view';
}

export class Room {
  readonly session: Session;
  readonly client: Client;
  readonly universe: Universe;
  readonly player: Player;
  readonly hearing: Hearing;
  readonly absence: Absence;
  readonly moves: Moves;
  readonly about = new Cell<About>({});
  /** All that moves is drawn in these, as many as the stage takes for good here. */
  readonly frames = new Frames(MAX_FRAMES_PER_S);
  /** Whose live sound comes in, user by user. */
  readonly audible = new Cell<readonly string[]>([]);
  readonly #heard = new Map<string, Sound>();
  #silence: ReturnType<typeof setTimeout> | undefined;
  readonly #stops: (() => void)[];
  readonly #strokes = new Strokes();
  #own: OwnHand = {};

  constructor(session: Session, universeId: string) {
    this.session = session;
    this.client = createClient({
      url: location.origin,
      getToken: () => session.renewed(),
      socketOptions: { transports: ['websocket', 'polling'], tryAllTransports: true },
    });
    this.universe = this.client.universe(universeId);
    this.player = new Player(this.client.clock);
    this.hearing = new Hearing(this.client, universeId, this.player);
    this.absence = new Absence(this.client, this.universe);
    this.moves = new Moves(this.universe);
    this.#stops = [
      this.universe.on('music_generated', piece => this.player.hear(piece)),
      this.universe.onBar(bar => this.player.hearBar(bar)),
      this.universe.on('music_stopped', ({ streamId, endsAt }) => this.player.end(streamId, endsAt)),
      this.universe.on('room_joined', ({ endlessPiece }) => this.player.follow(endlessPiece?.streamId)),
      this.universe.on('audio_analyzed', ({ userId, analysis }) => this.#hear(userId, analysis)),
      this.universe.on('universe_updated', about => this.about.set(about)),
      this.universe.on('room_joined', () => void this.#entered()),
      this.universe.subscribe(() => this.#viewIfThatIsAll()),
    ];
  }

  close(): void {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#silence);
    this.absence.close();
    this.moves.close();
    this.hearing.close();
    this.player.close();
    this.client.close();
  }

  /** Show the others where one's hand is; what is `undefined` is taken away. */
  hold(part: OwnHand): void {
    const next = { ...this.#own, ...part };
    if (JSON.stringify(next) === JSON.stringify(this.#own)) return;
    this.#own = next;
    if (this.universe.status === 'joined') this.universe.present({ ...next });
  }

  /** A participant's colour: the one it shows, or one that follows from its id. */
  hue(userId: string): number {
    return readHand(this.universe.getSnapshot().presences[userId]).hue ?? hueOf(userId);
  }

  /** A participant's name, for oneself. */
  nameOf(userId: string): string {
    if (userId === this.client.userId) return 'you';
    return this.universe.participants.find(one => one.userId === userId)?.username ?? 'somebody';
  }

  /** Who moved what that is heard from a bar on. */
  flags(section: Section): readonly Flag[] {
    if (!('bar' in section)) return [];
    return this.moves.recent
      .getSnapshot()
      .filter(({ bar }) => bar === section.bar)
      .map(({ userId, what }) => ({ text: `${this.nameOf(userId)}: ${what}`, hue: this.hue(userId) }));
  }

  /** What the stage shows. */
  readonly scene: Scene = {
    frames: this.frames,
    parameters: () => this.universe.parameters,
    hands: () => this.#hands(),
    heard: () => this.#nowHeard(),
    strokes: () => this.#begun(),
  };

  async #entered(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, CHOICE_MS));
    const me = this.client.userId;
    if (me === undefined || this.universe.status !== 'joined') return;
    const others = Object.entries(this.universe.getSnapshot().presences).filter(([userId]) => userId !== me);
    const taken = others.map(([, state]) => readHand(state).hue);
    this.hold({ hue: this.#own.hue ?? freeHue(hueOf(me), taken) });
    const about = await call<About>(this.session, 'GET', `/universes/${this.universe.id}`).catch(() => undefined);
    if (about) this.about.set(about);
  }

  // Who may only view is refused to edit, and told so.
  #viewIfThatIsAll(): void {
    const { status, error } = this.universe.getSnapshot();
    if (status === 'refused' && mayView(error) && this.universe.wantedMode !== 'view') this.universe.join('view');
  }

  #hands(): readonly ShownHand[] {
    const { presences, participants } = this.universe.getSnapshot();
    const me = this.client.userId;
    return participants.flatMap(({ userId, username }) => {
      const { at, pulls } = userId === me ? this.#own : readHand(presences[userId]);
      // One's own is where the pointer is.
      if (!at || (userId === me && !pulls)) return [];
      const name = userId === me ? 'you' : username;
      return [{ name, hue: this.hue(userId), x: at[0], y: at[1], holds: pulls === true }];
    });
  }

  #hear(userId: string, { frequencies, waveform }: { frequencies: unknown; waveform: unknown }): void {
    const numbers = (list: unknown, low: number): number[] =>
      Array.isArray(list)
        ? list.slice(0, MAX_SHOWN_NUMBERS).map(value => Math.min(1, Math.max(low, Number(value) || 0)))
        : [];
    this.#heard.set(userId, { bands: numbers(frequencies, 0), waveform: numbers(waveform, -1), atMs: performance.now() });
    this.#listen();
  }

  // Whom one hears now, and again when the first of them may have fallen silent.
  #listen(): void {
    clearTimeout(this.#silence);
    this.#forget();
    const users = [...this.#heard.keys()];
    if (users.join() !== this.audible.getSnapshot().join()) this.audible.set(users);
    if (users.length) this.#silence = setTimeout(() => this.#listen(), HEARD_MS);
  }

  #forget(): void {
    const sinceMs = performance.now() - HEARD_MS;
    for (const [userId, { atMs }] of this.#heard) if (atMs < sinceMs) this.#heard.delete(userId);
  }

  #nowHeard(): readonly Heard[] {
    this.#forget();
    return Array.from(this.#heard, ([userId, { bands, waveform }]) => ({ bands, waveform, hue: this.hue(userId) }));
  }

  #begun(): readonly NoteStroke[] {
    const nowMs = performance.now();
    return this.#strokes.begun(this.player.playing(nowMs), nowMs);
  }
}
