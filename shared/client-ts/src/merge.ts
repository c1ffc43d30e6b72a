// A room as one client sees it: stored values, with this client's own changes on top. Pure.
import type {
  Mode,
  Parameters,
  ParametersPreviewed,
  Participant,
  ParticipantState,
  PreviewParameters,
  RoomJoined,
  UserId,
} from '../../contract/protocol.ts';

/** The name of a parameter set. */
export type SetName = keyof Parameters;
/** New values, by parameter set. */
export type Changes = Pick<PreviewParameters, SetName>;

/** Changes under way. Its frames begin at `fromSeq`, which is known once it is acknowledged. */
export interface Operation {
  readonly opId: string;
  readonly changes: Changes;
  readonly fromSeq?: number;
}

/** A room: `committed` is as of `seqs`, the numbers of the last frames, set by set. */
export interface Room {
  readonly mode: Mode;
  readonly participants: readonly Participant[];
  readonly committed: Parameters;
  readonly seqs: Readonly<Record<SetName, number>>;
  /** The same for `participants`. Frames of sets may overtake it: superseded ones are left out. */
  readonly participantsSeq: number;
  /** Sent changes that are not in `committed` yet, the oldest first. */
  readonly sent: readonly Operation[];
  /** The changes to send next. */
  readonly waiting?: Changes;
  /** This client's preview. */
  readonly tried?: Changes;
  /** The previews of others, by user. */
  readonly previews: Readonly<Record<UserId, Changes>>;
  /** The states of participants, by user. */
  readonly presences: Presences;
}

/** The states of participants, by user. */
export type Presences = Readonly<Record<UserId, ParticipantState['state']>>;

/** The payload of any parameter set's event. */
export interface SetUpdated {
  readonly userId: UserId;
  readonly changed: readonly string[];
  readonly parameters: object;
  readonly seq?: number;
  readonly current?: true;
}

/** Values by user. They have no prototype: a user may be called `constructor`. */
function byUser<T>(...parts: readonly Readonly<Record<UserId, T>>[]): Record<UserId, T> {
  return Object.assign(Object.create(null) as Record<UserId, T>, ...parts);
}

/** No users. */
export const NOBODY: Readonly<Record<UserId, never>> = Object.freeze(byUser<never>());

/** The values without those of a user. */
function withoutUser<T>(values: Readonly<Record<UserId, T>>, userId: UserId): Record<UserId, T> {
  const others = byUser(values);
  delete others[userId];
  return others;
}

type Sets = Record<string, Record<string, unknown> | undefined>;

/** Both changes in one: for each field, the later value. */
export function combine(earlier: Changes | undefined, later: Changes): Changes {
  const combined: Sets = { ...(earlier as Sets | undefined) };
  for (const [set, fields] of Object.entries(later as Sets)) {
    if (fields) combined[set] = { ...combined[set], ...fields };
  }
  return combined as Changes;
}

/** Whether the changes change nothing. */
export function isEmpty(changes: Changes | undefined): boolean {
  return !Object.values((changes ?? {}) as Sets).some(fields => Object.keys(fields ?? {}).length);
}

/** Changes without these fields of one set; `undefined` if none are left. */
function without(changes: Changes, set: string, fields: readonly string[]): Changes | undefined {
  const left: Sets = { ...(changes as Sets) };
  const kept = Object.entries(left[set] ?? {}).filter(([field]) => !fields.includes(field));
  if (kept.length) left[set] = Object.fromEntries(kept);
  else delete left[set];
  return isEmpty(left as Changes) ? undefined : (left as Changes);
}

/** The changes without the fields of others; `undefined` if none are left. */
export function withoutAll(changes: Changes | undefined, others: Changes): Changes | undefined {
  let left = changes;
  for (const [set, fields] of Object.entries(others as Sets)) {
    if (left) left = without(left, set, Object.keys(fields ?? {}));
  }
  return left;
}

/** The parameters as this client shows them: its own values at once. Unchanged sets stay the same objects. */
export function parametersOf(room: Room): Parameters {
  const layers = [...room.sent.map(({ changes }) => changes), room.waiting, room.tried];
  const shown = { ...room.committed } as unknown as Sets;
  for (const layer of layers) {
    for (const [set, fields] of Object.entries((layer ?? {}) as Sets)) {
      if (shown[set]) shown[set] = { ...shown[set], ...fields };
    }
  }
  return shown as unknown as Parameters;
}

/** The room after a join: all is replaced except this client's own changes under way. */
export function entered(room: Room | undefined, told: RoomJoined): Room {
  const seqs = Object.fromEntries(Object.keys(told.parameters).map(set => [set, told.seq]));
  return settled({
    mode: told.mode,
    participants: told.participants,
    committed: told.parameters,
    seqs: seqs as Record<SetName, number>,
    participantsSeq: told.seq,
    sent: room?.sent ?? [],
    ...(room?.waiting && { waiting: room.waiting }),
    ...(room?.tried && { tried: room.tried }),
    previews: NOBODY,
    // The server sends those that changed meanwhile.
    presences: byUser(
      Object.fromEntries(
        told.participants.flatMap(({ userId }) => {
          const state = room?.presences[userId];
          return state ? [[userId, state]] : [];
        }),
      ),
    ),
  });
}

/** The room after somebody changed a set. A frame that is not newer changes nothing. */
export function updated(room: Room, set: SetName, event: SetUpdated): Room {
  const { seq, userId } = event;
  if (event.current || seq === undefined || seq <= room.seqs[set]) return room;
  const tried = room.previews[userId];
  const left = tried && without(tried, set, event.changed);
  const previews = withoutUser(room.previews, userId);
  return settled({
    ...room,
    committed: { ...room.committed, [set]: event.parameters },
    seqs: { ...room.seqs, [set]: seq },
    previews: left ? byUser(previews, { [userId]: left }) : previews,
  });
}

/** The room without acknowledged changes that `committed` already has. */
function settled(room: Room): Room {
  const sent = room.sent.flatMap(operation => {
    const { fromSeq, changes } = operation;
    if (fromSeq === undefined) return [operation];
    const left = Object.entries(changes as Sets).filter(
      ([set]) => (room.seqs[set as SetName] ?? Infinity) < fromSeq,
    );
    return left.length ? [{ ...operation, changes: Object.fromEntries(left) as Changes }] : [];
  });
  return { ...room, sent };
}

/** The room with more changes to send. They end this client's preview of the same fields. */
export function queued(room: Room, changes: Changes): Room {
  const { tried, ...rest } = room;
  const left = withoutAll(tried, changes);
  return { ...rest, waiting: combine(room.waiting, changes), ...(left && { tried: left }) };
}

/** The room after its waiting changes were sent. */
export function taken(room: Room, opId: string): Room {
  const { waiting, ...rest } = room;
  return waiting ? { ...rest, sent: [...room.sent, { opId, changes: waiting }] } : room;
}

/** The room with an operation waiting again; later changes of a field win. */
export function returned(room: Room, opId: string): Room {
  const operation = room.sent.find(one => one.opId === opId);
  if (!operation) return room;
  return { ...dropped(room, opId), waiting: combine(operation.changes, room.waiting ?? {}) };
}

/** The room after an ack; `seq` is the number of the last frame, one for each set. */
export function acknowledged(room: Room, opId: string, seq: number): Room {
  const sent = room.sent.map(one =>
    one.opId === opId ? { ...one, fromSeq: seq - Object.keys(one.changes).length + 1 } : one,
  );
  return settled({ ...room, sent });
}

/** The room without an operation that was refused or given up. */
export function dropped(room: Room, opId: string): Room {
  return { ...room, sent: room.sent.filter(one => one.opId !== opId) };
}

/** The room without its waiting changes. */
export function waitingDropped({ waiting: _, ...room }: Room): Room {
  return room;
}

/** The room with exactly this preview of this client. */
export function trying({ tried: _, ...room }: Room, changes: Changes): Room {
  return isEmpty(changes) ? room : { ...room, tried: changes };
}

/** The room with somebody else's preview; without values, it ends. */
export function previewed(room: Room, userId: UserId, event: ParametersPreviewed | Changes): Room {
  const sets = Object.keys(room.committed) as SetName[];
  const changes = Object.fromEntries(sets.flatMap(set => (event[set] ? [[set, event[set]]] : [])));
  const others = withoutUser(room.previews, userId);
  return { ...room, previews: isEmpty(changes) ? others : byUser(others, { [userId]: changes }) };
}

/** The room with a new participant, or another mode of one; `me` is this client's user. */
export function arrived(room: Room, participant: Participant, seq: number, me?: UserId): Room {
  if (seq <= room.participantsSeq) return room;
  const { userId, mode } = participant;
  const known = room.participants.some(one => one.userId === userId);
  return {
    ...room,
    participantsSeq: seq,
    mode: userId === me && mode === 'view' ? 'view' : room.mode,
    participants: known
      ? room.participants.map(one => (one.userId === userId ? participant : one))
      : [...room.participants, participant],
  };
}

/** The room without a participant. */
export function left(room: Room, userId: UserId, seq: number): Room {
  if (seq <= room.participantsSeq) return room;
  const previews = withoutUser(room.previews, userId);
  const presences = withoutUser(room.presences, userId);
  const participants = room.participants.filter(one => one.userId !== userId);
  return { ...room, participantsSeq: seq, participants, previews, presences };
}

/** The room with new states of participants. */
export function shown(room: Room, states: readonly Pick<ParticipantState, 'userId' | 'state'>[]): Room {
  const told = Object.fromEntries(states.map(({ userId, state }) => [userId, state]));
  return { ...room, presences: byUser(room.presences, told) };
}
