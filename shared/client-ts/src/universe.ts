// One universe as this client sees it: events drive `merge`, and calls send commands.
import type {
  EndlessPiece,
  EventOf,
  Mode,
  MusicGenerated,
  Parameters,
  Participant,
  UserId,
} from '../../contract/protocol.ts';
import type { Connection } from './connection.ts';
import { RefusedError, UnansweredError } from './errors.ts';
import { KnownBars, startMusic, stopMusic, type MusicWish } from './endless.ts';
import { generate, type Generation } from './generation.ts';
import { Listeners, type EventName } from './listeners.ts';
import * as merge from './merge.ts';
import { Presence, type PresenceState } from './presence.ts';
import { Preview } from './preview.ts';
import { isPassing } from './retry.ts';
import { Store, until, type Watchable } from './store.ts';
import { Updates, type Updated } from './updates.ts';

/** The state of a universe. */
export interface UniverseState {
  /** `away`: the connection is broken, and the state may be old. `refused`: see `error`. */
  readonly status: 'joining' | 'joined' | 'away' | 'refused' | 'left';
  /** What this client may do in the room. */
  readonly mode?: Mode;
  /** All parameters, this client's own changes included before they are stored. */
  readonly parameters?: Parameters;
  readonly participants: readonly Participant[];
  /** The previews of others, by user. */
  readonly previews: Readonly<Record<UserId, merge.Changes>>;
  /** The states of participants, by user. This client's own state is there at once. */
  readonly presences: merge.Presences;
  /** The endless piece that is played, if any: its bars come as `music_bar`. */
  readonly endlessPiece?: EndlessPiece | undefined;
  /** Whether changes of this client are not stored yet. */
  readonly unsettled: boolean;
  /** When updates go on after a refused one, by `performance.timeOrigin + performance.now()`. */
  readonly heldBackUntilMs?: number;
  /** The last refusal, until a command is carried out. */
  readonly error?: Error;
}

export class Universe implements Watchable<UniverseState> {
  readonly id: string;
  readonly #connection: Connection;
  readonly #state: Store<UniverseState>;
  readonly #listeners = new Listeners();
  readonly #preview: Preview;
  readonly #presence: Presence;
  readonly #updates: Updates;
  readonly #bars = new KnownBars();
  readonly #silences = new Map<UserId, ReturnType<typeof setTimeout>>();
  #mode: Mode;
  #room: merge.Room | undefined;
  // Counts the joins: the outcome of an older one is ignored.
  #joins = 0;

  /** Made by `client.universe(id)`. @internal */
  constructor(connection: Connection, id: string, mode: Mode) {
    this.id = id;
    this.#connection = connection;
    this.#mode = mode;
    this.#state = new Store<UniverseState>({
      status: 'joining',
      participants: [],
      previews: merge.NOBODY,
      presences: merge.NOBODY,
      unsettled: false,
    });
    this.#preview = new Preview(connection, id, changes => {
      if (this.#room) this.#show(merge.trying(this.#room, changes));
    });
    this.#presence = new Presence(connection, id);
    this.#updates = new Updates(connection, {
      id,
      room: () => this.#room,
      show: room => this.#show(room),
      joined: () => this.joined(),
      outcome: (error, waitMs) => this.#updated(error, waitMs),
    });
    this.#join();
  }

  readonly getSnapshot = (): UniverseState => this.#state.getSnapshot();
  readonly subscribe = (listener: () => void): (() => void) => this.#state.subscribe(listener);

  /** The mode that was asked for last. */
  get wantedMode(): Mode {
    return this.#mode;
  }

  get status(): UniverseState['status'] {
    return this.getSnapshot().status;
  }

  get parameters(): Parameters | undefined {
    return this.getSnapshot().parameters;
  }

  get participants(): readonly Participant[] {
    return this.getSnapshot().participants;
  }

  /** Call a listener for an event of this universe, after the state has changed. Returns how to stop. */
  on<E extends EventName>(event: E, listener: (payload: EventOf<E>) => void): () => void {
    return this.#listeners.add(event, listener);
  }

  /** Wait until the room is joined; rejects if that is refused, or takes longer than `patienceMs`. */
  async joined(patienceMs = this.#connection.patienceMs): Promise<void> {
    const ends = ({ status }: UniverseState) => status !== 'joining' && status !== 'away';
    const late = () => new UnansweredError('there is no connection');
    await until(this.#state, ends, patienceMs, late);
    const { status, error } = this.getSnapshot();
    if (status === 'refused' && error) throw error;
    if (status === 'left') throw new UnansweredError('the room was left');
  }

  /** Join after leaving or after a refusal, or change one's mode. */
  join(mode: Mode = this.#mode): void {
    this.#mode = mode;
    if (this.status !== 'joined') this.#state.change({ status: 'joining' });
    this.#join();
  }

  /** Leave the room. Changes that are not sent yet are undone. */
  leave(): void {
    this.#preview.end();
    this.#presence.end();
    this.#state.change({ status: 'left' });
    this.#updates.undo(new UnansweredError('the room was left'));
    void this.#depart();
  }

  /**
   * Change parameters. They are shown at once; while a limit delays them, changes are merged.
   *
   * Changes that are sent together share one promise. A refusal undoes the changes.
   */
  set(changes: merge.Changes): Promise<Updated> {
    if (!this.#room || this.status === 'left') {
      return handled(Promise.reject(new UnansweredError('the room is not joined')));
    }
    this.#preview.committed(changes);
    return handled(this.#updates.add(this.#room, changes));
  }

  /** Show values to all without storing them, until `set` or a call without values. */
  preview(changes: merge.Changes): void {
    if (this.status === 'joined') this.#preview.show(changes);
  }

  /** Show the others a state, in place of the one before. It is sent again after a reconnection. */
  present(state: PresenceState): void {
    if (this.status === 'left') return;
    const userId = this.#me;
    if (this.#room && userId) this.#show(merge.shown(this.#room, [{ userId, state }]));
    this.#presence.show(state);
  }

  /** Ask for a piece, and wait for it. Everyone in the room hears it, by `music_generated`. */
  generate(request: Generation): Promise<MusicGenerated> {
    return generate(this.#connection, this, request);
  }

  /** Have the universe play an endless piece. Refused, with the reason `PLAYING`, while it plays one. */
  startMusic(wish: MusicWish = {}): Promise<void> {
    return startMusic(this.#connection, this.id, wish, () => this.joined());
  }

  /** End the endless piece. */
  stopMusic(): Promise<void> {
    return stopMusic(this.#connection, this.id, () => this.joined());
  }

  /** Hear each bar of the endless piece once, one to three seconds before it begins. */
  onBar(listener: (bar: EventOf<'music_bar'>) => void): () => void {
    return this.on('music_bar', listener);
  }

  /** The connection is there; called by the client. @internal */
  connected(recovered: boolean): void {
    const { status, error } = this.getSnapshot();
    if (status === 'left') return;
    if (status === 'refused') {
      // Another try would be refused, too.
      if (!(error instanceof RefusedError && isPassing(error))) return;
      this.#state.change({ status: 'joining' });
    }
    // A room of a recovered session is joined again by the server.
    if (!recovered || !this.#room) this.#join();
  }

  /** The connection is broken; called by the client. @internal */
  disconnected(): void {
    this.#joins += 1;
    this.#preview.drop();
    if (this.status === 'joined') this.#state.change({ status: 'away' });
  }

  /** An event came; called by the client. @internal */
  heard(event: string, payload: unknown): void {
    if (event === 'music_bar' && !this.#bars.isNew(payload as EventOf<'music_bar'>)) return;
    this.#apply(event, payload);
    this.#listeners.tell(event as EventName, payload);
  }

  get #me(): UserId | undefined {
    return this.#connection.state.getSnapshot().userId;
  }

  #apply(event: string, payload: unknown): void {
    if (event === 'room_joined') return this.#entered(payload as EventOf<'room_joined'>);
    if (event === 'room_error') return this.#excluded(payload as EventOf<'room_error'>);
    const room = this.#room;
    if (!room || this.status === 'left') return;
    if (event === 'participant_joined') {
      const { participant, seq } = payload as EventOf<'participant_joined'>;
      this.#show(merge.arrived(room, participant, seq, this.#me));
    } else if (event === 'participant_left') {
      const { userId, seq } = payload as EventOf<'participant_left'>;
      this.#show(merge.left(room, userId, seq));
    } else if (event === 'presence_updated') {
      this.#show(merge.shown(room, [payload as EventOf<'presence_updated'>]));
    } else if (event === 'presence_states') {
      this.#show(merge.shown(room, (payload as EventOf<'presence_states'>).states));
    } else if (event === 'parameters_previewed') {
      this.#previewed(room, payload as EventOf<'parameters_previewed'>);
    } else if (event === 'music_started') {
      const { timestamp: startedAt, ...piece } = payload as EventOf<'music_started'>;
      this.#state.change({ endlessPiece: { ...piece, startedAt } });
    } else if (event === 'music_stopped') {
      this.#state.change({ endlessPiece: undefined });
    } else if (event.endsWith('_updated')) {
      const set = event.slice(0, -'_updated'.length);
      if (Object.hasOwn(room.committed, set)) {
        this.#show(merge.updated(room, set as merge.SetName, payload as merge.SetUpdated));
      }
    }
  }

  #entered(told: EventOf<'room_joined'>): void {
    // Left while the connection was broken: the server did not hear of it.
    if (this.status === 'left') {
      void this.#depart();
      return;
    }
    const { error: _, ...rest } = this.getSnapshot();
    this.#state.replace({ ...rest, status: 'joined', endlessPiece: told.endlessPiece });
    this.#show(merge.entered(this.#room, told));
    void this.#presence.send();
  }

  // One that names a command answers it, as the ack does. The others: removed from the room, or not
  // let in again.
  #excluded(refusal: EventOf<'room_error'>): void {
    if (!refusal.details.event && this.status !== 'left') this.#refuse(new RefusedError(refusal));
  }

  #refuse(error: Error): void {
    this.#room = undefined;
    const { parameters: _, mode: __, ...rest } = this.getSnapshot();
    const nobody = { participants: [], previews: merge.NOBODY, presences: merge.NOBODY };
    this.#state.replace({ ...rest, ...nobody, status: 'refused', error });
    this.#updates.undo(error);
  }

  async #depart(): Promise<void> {
    const join = ++this.#joins;
    for (let attempt = 1; join === this.#joins; attempt += 1) {
      const answer = await this.#connection.emit('leave_room', { universeId: this.id });
      if (!answer || answer.ok) return;
      const { reason } = answer.error.details;
      if (reason === 'NOT_IN_ROOM' || join !== this.#joins) return;
      await this.#connection.afterRefusal(answer.error, attempt, Infinity).catch(() => undefined);
    }
  }

  #join(): void {
    if (this.#connection.state.getSnapshot().status === 'connected') void this.#enter();
  }

  async #enter(): Promise<void> {
    const join = ++this.#joins;
    for (let attempt = 1; join === this.#joins; attempt += 1) {
      // Without an `opId`: on another connection, a repeat would be acknowledged and not join.
      const payload = { universeId: this.id, mode: this.#mode };
      const answer = await this.#connection.emit('join_room', payload);
      if (join !== this.#joins) return;
      try {
        if (answer?.ok) break;
        if (answer) await this.#connection.afterRefusal(answer.error, attempt, Infinity);
      } catch (error) {
        if (join !== this.#joins) return;
        // Another mode was refused: the room is as it was.
        if (this.status === 'joined') this.#state.change({ error: error as Error });
        else this.#refuse(error as Error);
        return;
      }
    }
  }

  #previewed(room: merge.Room, event: EventOf<'parameters_previewed'>): void {
    const { userId } = event;
    clearTimeout(this.#silences.get(userId));
    this.#show(merge.previewed(room, userId, event));
    const ended = () => {
      this.#silences.delete(userId);
      if (this.#room) this.#show(merge.previewed(this.#room, userId, {}));
    };
    this.#silences.set(userId, setTimeout(ended, Preview.SILENCE_MS));
  }

  #updated(error?: Error, waitMs?: number): void {
    const { error: _, heldBackUntilMs: __, ...rest } = this.getSnapshot();
    const heldBackUntilMs = performance.timeOrigin + performance.now() + (waitMs ?? 0);
    this.#state.replace({ ...rest, ...(error && { error }), ...(waitMs && { heldBackUntilMs }) });
  }

  #show(room: merge.Room): void {
    const before = this.#room;
    this.#room = room;
    if (room === before) return;
    this.#state.change({
      mode: room.mode,
      parameters: merge.parametersOf(room),
      participants: room.participants,
      previews: room.previews,
      presences: room.presences,
      unsettled: room.sent.length > 0 || room.waiting !== undefined,
    });
  }
}

// A caller that drags need not look at each promise: the state's `error` says it, too.
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
