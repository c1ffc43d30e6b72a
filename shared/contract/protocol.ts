// Harmonic Universe, version 1 of its protocol. Generated from the declarations.
//
//   import { io, type Socket } from "socket.io-client";
//   const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("…/ws", …);
//
// A refused connection: socket.on("connect_error", error => (error as ConnectError).data?.code)

/** The ack of a command that was carried out. */
export interface Accepted {
  /** The command was carried out. */
  ok: true;
  /** The `seq` of the last frame that the command made, or else the universe's. */
  seq: number;
}

/** Numbers, or a typed array relayed byte for byte; `null` in `frequencies` is silence. */
export interface Analysis {
  /** The spectrum, as numbers or as a typed array; `null` is silence. */
  frequencies: Array<number | null> | TypedArray;
  /** The samples, as numbers or as a typed array. */
  waveform: Array<number> | TypedArray;
  /** A time by the client's clock, as ISO 8601 writes it. */
  timestamp: string;
}

/** Show the room what one hears. */
export interface AudioAnalysis {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** What is heard. */
  analysis: Analysis;
}

/** What an editor hears, with the editor's own time in `analysis.timestamp`. */
export interface AudioAnalyzed {
  universeId: UniverseId;
  /** What is heard. */
  analysis: Analysis;
  userId: UserId;
  timestamp: Timestamp;
}

/** An action on a universe or on the instance. */
export interface AuditEntry {
  /** The entry's own id. */
  id: string;
  at: Timestamp;
  /** What was done: an operation, command or verb. */
  action: string;
  /** Who did it: a user, a service, or an operator's name. */
  userId?: UserId;
  /** Whether an operator did it. */
  operator?: boolean;
  /** The service that did it, where no user did. */
  service?: string;
  /** The user to whom it was done. */
  target?: UserId;
  universeId?: UniverseId;
  /** What it was set to, by the names of requests. */
  details?: Record<string, unknown>;
}

/** A part of an audit log; `nextCursor` asks for the next, and is absent at the end. */
export interface AuditPage {
  /** The universes of this page. */
  items: Array<AuditEntry>;
  /** The `cursor` that asks for the next page; absent on the last one. */
  nextCursor?: string;
}

/** The bar after another one, as it will be unless a parameter is changed before its record. */
export interface BarForecast {
  /** Seconds. Above 0. */
  duration: number;
  /** The piece, sorted by `startTime`. */
  notes: Array<Note>;
  /** The General MIDI program of each voice, counted from 0. */
  instruments?: Record<string, number>;
  /** The strokes of the drums, sorted by `startTime`; absent without drums. */
  drums?: Array<Stroke>;
}

/** Change one or more parameter sets, as `update_parameters` does. */
export interface ChangeParameters {
  opId?: OperationId;
  physics?: PhysicsChanges;
  music?: MusicChanges;
  visualization?: VisualizationChanges;
}

/** The name of a colour scheme: 1 to 32 letters, digits, `_` and `-`. */
export type ColorScheme = string;

/** A command was carried out; what it leads to has numbers up to `seq`, or follows it. */
export interface CommandAccepted {
  /** The number of the universe's last frame by then. */
  seq: number;
}

/** Ask for a piece, as `generate_music` does: the room hears it, and it is listed. */
export interface ComposeMusic {
  opId?: OperationId;
  duration: Duration;
  seed?: Seed;
  /** What the piece is to be like; without it, a style is drawn. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  /** The `requestId` of an earlier piece of this universe. */
  after?: string;
}

/** What a client says when it connects: `auth` in the official clients. */
export interface ConnectAuth {
  /** The JSON Web Token. */
  token: string;
}

/** The data of a CONNECT_ERROR packet: clients see it as `err.message` and `err.data`. */
export interface ConnectError extends Error {
  /** What clients see as `err.message`. */
  message: string;
  /** What clients see as `err.data`. */
  data: ConnectRefusal;
}

/**
 * `err.data` of a refused connection.
 *
 * It travels in a CONNECT_ERROR packet, since `connect_error` is reserved in the clients.
 */
export interface ConnectRefusal {
  /** What went wrong, for a person. */
  error: string;
  code: ErrorCode;
  /** For programs: `reason`, `retryAfterMs`, `fields`, `errorId` and the like. */
  details: Details;
}

/** The connection is accepted. */
export interface ConnectSuccess {
  userId: UserId;
  timestamp: Timestamp;
  /** Names this connection, for support requests. */
  sessionId: string;
  /** Whether an earlier session of this client was resumed. */
  recovered: boolean;
  /** Whether an earlier session of this client was resumed, and why not. */
  recovery: RecoveryReport;
  /** When the token expires. */
  expiresAt: Timestamp;
  /** The server's clock. */
  serverTime: Timestamp;
  /** The version of this protocol, raised whenever a client could notice. Default 1. */
  protocol: number;
  /** The bounds of this connection. */
  limits: Limits;
  /** The secret that resumes the session; clients with offsets get it in CONNECT, too. */
  pid?: string;
  /** The client's offset, which it sends when it reconnects. */
  offset?: string;
}

/**
 * Create a universe; the caller owns it. Without an `id` one is made.
 *
 * A service names the `owner`, who owns it as if the user had created it.
 */
export interface CreateUniverse {
  id?: UniverseId;
  name: UniverseName;
  /** Default private. */
  visibility?: Visibility;
  /** What anyone may do in the universe while it is public. Default view. */
  publicMode?: Mode;
  /** How many users may be in the room at the same time. 1 to 1000, default 50. */
  maxParticipants?: number;
  /** Whose it is to be: for services. */
  owner?: UserId;
}

/** What a refusal tells programs; each field is there where it applies. */
export interface Details {
  reason?: ErrorReason;
  /** The command that was refused. */
  event?: string;
  /** The universe in question, if the command named one. */
  universeId?: string;
  /** The command's `opId`, if it had one. */
  opId?: string;
  /** The error's id in the server's logs, for support requests. */
  errorId?: string;
  /** The milliseconds from now after which another attempt may succeed. */
  retryAfterMs?: number;
  /** The limit that was reached. */
  limit?: number;
  /** The length of the time that `limit` counts in, in milliseconds. */
  windowMs?: number;
  /** The most bytes that are accepted. */
  limitBytes?: number;
  /** The most levels of objects and lists that are accepted. */
  limitDepth?: number;
  /** The mode that the user may have in this universe. */
  allowedMode?: Mode;
  /** The claim of the token that is at fault. */
  claim?: string;
  /** The fields at fault, at most 20. */
  fields?: Array<InvalidField>;
}

/** Seconds. */
export type Duration = number;

/** The endless piece that a universe plays. */
export interface EndlessPiece {
  /** Which endless piece it is. */
  streamId: string;
  /** Who started it. 1 to 255 characters. */
  userId: string;
  /** What the piece is like, if a style was asked for. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  seed: Seed;
  /** When it was started. */
  startedAt: string;
}

/** The body of every answer of the HTTP API with a status of 400 or above. */
export interface ErrorBody {
  /** Why the request is refused. */
  error: Refused;
}

/** The error codes that clients know. */
export type ErrorCode = "AUTH_ERROR" | "NOT_FOUND" | "PERMISSION_DENIED" | "INVALID_PARAMETERS" | "ROOM_FULL" | "RATE_LIMITED" | "INTERNAL_ERROR";

/**
 * Why a request was refused, within its error code.
 *
 * It tells apart what one error code holds together; for an unknown one, act on the code.
 */
export type ErrorReason =
  /** No token was given. */
  | "MISSING"
  /** The token has expired. */
  | "EXPIRED"
  /** The token is not valid here, or it is another user's; `details.claim` may say why. */
  | "INVALID"
  /** The token was revoked. */
  | "REVOKED"
  /** The keys of tokens cannot be read at the moment. */
  | "KEYS_UNAVAILABLE"
  /** The connection is not in the universe's room. */
  | "NOT_IN_ROOM"
  /** The connection may only view. */
  | "VIEW_ONLY"
  /** Only the universe's owner may do this. */
  | "NOT_OWNER"
  /** The user was removed from the universe. */
  | "REMOVED"
  /** An operator or the owner removed the user, who may join again. */
  | "KICKED"
  /** The universe's owner has banned the user. */
  | "BANNED"
  /** The operators have switched this off for the time being. */
  | "SWITCHED_OFF"
  /** Services may not do this. */
  | "SERVICE"
  /** Only services may do this. */
  | "NOT_SERVICE"
  /** Pages of this origin may not use the server. */
  | "ORIGIN"
  /** The message or the body has more bytes than `details.limitBytes`. */
  | "TOO_LARGE"
  /** The message nests deeper than `details.limitDepth` levels. */
  | "TOO_DEEP"
  /** An object has over `details.limitFields` fields, or a message over `details.limitValues`. */
  | "TOO_MANY_VALUES"
  /** There is no command of this name. */
  | "UNKNOWN_EVENT"
  /** The payload is not one JSON object. */
  | "NOT_AN_OBJECT"
  /** The body is not JSON. */
  | "NOT_JSON"
  /** The body ended early, or did not arrive in time. */
  | "NOT_WHOLE"
  /** The body's content type or encoding is not served. */
  | "CONTENT_TYPE"
  /** The address does not serve this HTTP method. */
  | "METHOD"
  /** The `opId` was used for another command. */
  | "OP_ID_REUSED"
  /** The universe's log does not reach the position that was named. */
  | "OFFSET"
  /** The universe's log does not reach back to the position that was named. */
  | "TRIMMED"
  /** The id is in use, or was once. */
  | "TAKEN"
  /** The user owns `details.limit` universes, as many as a user may. */
  | "QUOTA"
  /** The universe's owner has no role in it, and cannot be banned. */
  | "OWNER"
  /** Only a member of the universe can become its owner. */
  | "NOT_MEMBER"
  /** The universe has `details.limit` members. */
  | "TOO_MANY_MEMBERS"
  /** The universe has `details.limit` bans. */
  | "TOO_MANY_BANS"
  /** The universe plays the endless piece `details.streamId` already. */
  | "PLAYING"
  /** The universe plays no endless piece. */
  | "SILENT"
  /** Earlier requests have to be finished first. */
  | "BUSY"
  /** The user has `details.limit` connections, as many as a user may. */
  | "CONNECTIONS"
  /** The connection is in `details.limit` rooms. */
  | "TOO_MANY_ROOMS"
  /** The connection's live signals take too many bytes. */
  | "SIGNAL_BYTES"
  /** The connection is closed: its messages were refused again and again. */
  | "REFUSALS"
  /** `details.limit` commands of the connection wait already. */
  | "QUEUE_FULL"
  /** The request could not be begun within its time: nothing was done. */
  | "OVERDUE"
  /** It is unknown whether the request was carried out; repeating it with its `opId` tells. */
  | "OUTCOME_UNKNOWN"
  /** The universe holds `details.limitBytes` bytes of this, as many as it may. */
  | "NO_SPACE"
  /** The universe has no space to remember another `opId` within `details.windowMs`. */
  | "TOO_MANY_OPERATIONS"
  /** There is no room to store this at the moment. */
  | "STORAGE_FULL"
  /** The broker does not show what it has stored of the universe: it has to be restarted. */
  | "STORAGE_UNREADABLE"
  /** Stored data of the universe is lost, and the rest cannot be used alone. */
  | "DAMAGED";

/** A command was refused. */
export interface ErrorReported {
  code: ErrorCode;
  /** What went wrong, for a person. */
  message: string;
  /** For programs: `reason`, `retryAfterMs`, `fields`, `errorId` and the like. */
  details: Details;
}

/**
 * Events of a universe in their order.
 *
 * The next page begins after `lastSeq`, which is the universe's own at the end. Pieces whose
 * notes are not kept any more are left out.
 */
export interface EventPage {
  /** The universes of this page. */
  items: Array<PastEvent>;
  /** The first number that the log still has. */
  firstSeq: number;
  /** The number up to which these are all. */
  lastSeq: number;
}

/** Ask for a piece from the universe's parameters as they are now. */
export interface GenerateMusic {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  duration: Duration;
  /** Makes the piece repeatable; without it one is drawn. */
  seed?: Seed;
  /** What the piece is to be like; without it, a style is drawn. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  /** The `requestId` of an earlier piece of this universe. */
  after?: string;
}

/** Whether the process lives. */
export interface Health {
  /** Always the same: a process that answers is alive. */
  status: "alive";
}

/** A field at fault, and the range that it must be in, if it has one. */
export interface InvalidField {
  /** The field's path, such as `parameters.gravity`. */
  field: string;
  /** What is wrong with it, for a person. */
  reason: string;
  /** The smallest value that is accepted. */
  min?: number;
  /** The largest value that is accepted. */
  max?: number;
}

/** Enter a universe's room, or change one's mode in it. */
export interface JoinRoom {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** The requested mode; editing may be refused, with `details.allowedMode`. */
  mode: Mode;
}

/** A tonic, with sharps and flats. */
export type Key = "C" | "C#" | "Db" | "D" | "D#" | "Eb" | "E" | "Fb" | "E#" | "F" | "F#" | "Gb" | "G" | "G#" | "Ab" | "A" | "A#" | "Bb" | "B" | "Cb" | "B#";

/** Leave a universe's room. */
export interface LeaveRoom {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
}

/** The bounds that a client can run into, announced when it connects. */
export interface Limits {
  /** The most bytes that one message may take, `audio_analysis` excepted. */
  messageBytes: number;
  /** The most bytes that one `audio_analysis` may take. Default 131072. */
  audioMessageBytes: number;
  /** The most bytes of those commands that may take more, by their names. */
  largerMessageBytes: Record<string, number>;
  /** How many levels deep a message may nest objects and lists. */
  messageDepth: number;
  /** How many connections a user may have at one gateway at the same time. */
  connections: number;
  /** How many rooms a connection may be in at the same time. */
  rooms: number;
  /** How many commands of this connection may wait to be carried out. */
  queuedCommands: number;
  /** How many parameter updates a user may send in any minute. */
  parametersPerMinute: number;
  /** How many pieces a user may ask for in any minute. */
  generationsPerMinute: number;
  /** How many joins and leaves a user may do in any minute. */
  roomsPerMinute: number;
  /** How many live signals of each kind a connection may send in a second, on average. */
  signalsPerSecond: number;
  /** How many live signals of a kind it may send at once. */
  signalsBurst: number;
  /** How many bytes of live signals it may send in a second, on average. */
  signalBytesPerSecond: number;
  /**
   * How many events a connection may send in a second, on average, live signals excepted; one
   * counts once more for each 32 KiB that it takes.
   */
  eventsPerSecond: number;
}

/** Someone's role in a universe. */
export interface MemberRole {
  userId: UserId;
  role: Mode;
}

/** What one may do in a room: `edit` includes `view`. */
export type Mode = "edit" | "view";

/**
 * A bar of the endless piece, sent between one and three seconds before it begins.
 *
 * Each bar begins when the one before ends. After an outage of the server, the next bar may
 * begin later, never earlier. The notes' `startTime` counts from the bar's beginning; a note
 * may ring beyond the bar's end. `asOf` is the `seq` of the last update whose values are heard.
 * Bars that have not ended are sent again to a client that enters or returns: tell repeated
 * bars by their `streamId` and `bar`. A client whose connection is broken when the next bar is
 * due plays `forecast` in its place.
 */
export interface MusicBar {
  universeId: UniverseId;
  /** Which endless piece it is. */
  streamId: string;
  /** The bar's number in the piece, from 0. At least 0. */
  bar: number;
  /** When the bar begins, by the clock that `time_sync` tells. */
  startsAt: string;
  /** Seconds. Above 0. */
  duration: number;
  /** Beats a minute. */
  tempo: number;
  key: Key;
  scale: Scale;
  /** The `seq` of the last update that it follows. */
  asOf: number;
  /** The notes that begin in this bar, sorted by `startTime`. */
  notes: Array<Note>;
  /** What the piece is like, asked for or drawn. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  /** The time signature. In every meter, `tempo` counts quarter notes. */
  meter?: "4/4" | "3/4" | "6/8";
  /** The General MIDI program of each voice, counted from 0. */
  instruments?: Record<string, number>;
  /** The strokes of the drums, sorted by `startTime`; absent without drums. */
  drums?: Array<Stroke>;
  forecast?: BarForecast;
}

/** What a universe's music is made from; `tempo` is in beats a minute. */
export interface MusicChanges {
  /** How consonant the music is. 0 to 1. */
  harmony?: number;
  /** Beats a minute. 40 to 200. */
  tempo?: number;
  key?: Key;
  scale?: Scale;
  /** How intricate the rhythm is. 0 to 1. */
  rhythmComplexity?: number;
  /** How wide the melody's range is. 0 to 1. */
  melodyRange?: number;
}

/**
 * A piece for everyone in the room.
 *
 * Its notes are sorted by `startTime`, and none ends after `duration`.
 *
 * The same `seed`, parameters, duration and `style` give the same notes from the same
 * `composerVersion`. Drums are separate from the notes: their keys are not pitches. A piece
 * that answers another names it in `after`. `service` is the service that asked for the piece.
 */
export interface MusicGenerated {
  universeId: UniverseId;
  /** The piece, sorted by `startTime`. */
  notes: Array<Note>;
  timestamp: Timestamp;
  /** Names the piece; its MIDI file is found under it. */
  requestId: string;
  userId: UserId;
  /** The seed of this piece: sent again, it gives the same notes. */
  seed: Seed;
  duration: Duration;
  /** Beats a minute. */
  tempo: number;
  key: Key;
  scale: Scale;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** When to start the piece, by the server's clock, so that all hear it together. */
  playAt?: Timestamp;
  /** The composer's version: another one makes other notes of the same seed. At least 1. */
  composerVersion?: number;
  /** What the piece is like, asked for or drawn. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  /** The time signature. In every meter, `tempo` counts quarter notes. */
  meter?: "4/4" | "3/4" | "6/8";
  /** The General MIDI program of each voice, counted from 0. */
  instruments?: Record<string, number>;
  /** The strokes of the drums, sorted by `startTime`; absent without drums. */
  drums?: Array<Stroke>;
  /** The `requestId` of an earlier piece of this universe. */
  after?: string;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
  /** The service that did it, where no user did. */
  service?: string;
}

/** What a universe's music is made from; `tempo` is in beats a minute. */
export interface MusicParameters {
  /** How consonant the music is. 0 to 1, default 0.7. */
  harmony: number;
  /** Beats a minute. 40 to 200, default 120. */
  tempo: number;
  /** Default C. */
  key: Key;
  /** Default major. */
  scale: Scale;
  /** How intricate the rhythm is. 0 to 1, default 0.5. */
  rhythmComplexity: number;
  /** How wide the melody's range is. 0 to 1, default 0.8. */
  melodyRange: number;
}

/** The universe plays an endless piece from now on: its bars follow as `music_bar`. */
export interface MusicStarted {
  universeId: UniverseId;
  /** Which endless piece it is. */
  streamId: string;
  userId: UserId;
  /** What the piece is like, if a style was asked for. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  seed: Seed;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
}

/**
 * The endless piece is over: nothing of it sounds from `endsAt` on.
 *
 * `reason` is `stopped`, by the user `userId`, or `empty`: nobody was left to hear it.
 */
export interface MusicStopped {
  universeId: UniverseId;
  /** Which endless piece it is. */
  streamId: string;
  /** Why: a user ended it, or all have left. */
  reason: "stopped" | "empty";
  userId?: UserId;
  /** From when on nothing of it sounds. */
  endsAt: string;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
}

/** Someone changed music parameters; all of them as they are now. */
export interface MusicUpdated {
  universeId: UniverseId;
  userId: UserId;
  timestamp: Timestamp;
  /** The names of the fields that were sent, in this update, to be changed. */
  changed: Array<string>;
  /** Counts the frames that the members of the universe see, without holes. */
  seq?: number;
  /** The event gives the current values after a return: nothing happened just now. */
  current?: true;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
  /** The service that did it, where no user did. */
  service?: string;
  /** All music parameters as they are now. */
  parameters: MusicParameters;
}

/**
 * One note: MIDI pitch, seconds from the start of the piece, MIDI velocity.
 *
 * `voice` is who plays it; the first note of each section of the form tells its letter.
 */
export interface Note {
  /** The MIDI note number: 60 is middle C. 0 to 127. */
  pitch: number;
  /** When the note begins, in seconds from the start of the piece. At least 0. */
  startTime: number;
  /** How long the note sounds, in seconds. Above 0. */
  duration: number;
  /** How hard the note is struck. 1 to 127. */
  velocity: number;
  /** Who plays it: the melody, a second voice below it, what fills the harmony, or the bass. */
  voice?: "melody" | "counter" | "pads" | "bass";
  /** The letter of the part of the form that begins with this note. */
  section?: string;
}

/** The client's own id of this command: sent twice, applied once. */
export type OperationId = string;

/** The parameter sets of a universe. */
export interface Parameters {
  physics: PhysicsParameters;
  music: MusicParameters;
  visualization: VisualizationParameters;
}

/**
 * Someone else in the room tries values out; only an update changes the stored ones.
 *
 * It replaces the user's earlier preview. It ends with an update of its values, with a preview
 * of none, with `participant_left`, and after a second without another one.
 */
export interface ParametersPreviewed {
  universeId: UniverseId;
  userId: UserId;
  timestamp: Timestamp;
  physics?: PhysicsChanges;
  music?: MusicChanges;
  visualization?: VisualizationChanges;
}

/** One user in a room, however many tabs; `mode` is the highest of the tabs' modes. */
export interface Participant {
  userId: UserId;
  /** The user's display name. */
  username: string;
  /** The highest of the modes of the user's connections. */
  mode: Mode;
}

/** Someone joined the room, or changed mode in it. */
export interface ParticipantJoined {
  universeId: UniverseId;
  /** Who it is, in which mode. */
  participant: Participant;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
}

/** The last connection of someone left the room. */
export interface ParticipantLeft {
  universeId: UniverseId;
  userId: UserId;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
}

/** The participants in a room, in the order in which they joined. */
export interface ParticipantList {
  /** The universes of this page. */
  items: Array<PresentParticipant>;
}

/** The state of one participant. */
export interface ParticipantState {
  userId: UserId;
  /** Any JSON object of at most 1024 bytes, 4 levels deep. */
  state: Record<string, unknown>;
}

/** An event as the room was sent it. */
export interface PastEvent {
  /** Its name. */
  event: string;
  /** Its payload, with `seq`. */
  data: Record<string, unknown>;
}

/** How things move in a universe. */
export interface PhysicsChanges {
  /** How strongly things fall. In music it pulls the tempo. 0 to 20. */
  gravity?: number;
  /** How much surfaces slow things down. In music it governs the consonance. 0 to 1. */
  friction?: number;
  /** How far things bounce. In music it livens the rhythm. 0 to 1. */
  elasticity?: number;
  /** How much the air slows things down. In music it narrows the pitch range. 0 to 1. */
  airResistance?: number;
  /** How fast time passes. In music it scales the lengths of notes. 0.1 to 5. */
  timeScale?: number;
}

/** How things move in a universe. */
export interface PhysicsParameters {
  /** How strongly things fall. In music it pulls the tempo. 0 to 20, default 9.81. */
  gravity: number;
  /**
   * How much surfaces slow things down. In music it governs the consonance. 0 to 1, default
   * 0.5.
   */
  friction: number;
  /** How far things bounce. In music it livens the rhythm. 0 to 1, default 0.7. */
  elasticity: number;
  /**
   * How much the air slows things down. In music it narrows the pitch range. 0 to 1, default
   * 0.1.
   */
  airResistance: number;
  /** How fast time passes. In music it scales the lengths of notes. 0.1 to 5, default 1. */
  timeScale: number;
}

/** Someone changed physics parameters; all of them as they are now. */
export interface PhysicsUpdated {
  universeId: UniverseId;
  userId: UserId;
  timestamp: Timestamp;
  /** The names of the fields that were sent, in this update, to be changed. */
  changed: Array<string>;
  /** Counts the frames that the members of the universe see, without holes. */
  seq?: number;
  /** The event gives the current values after a return: nothing happened just now. */
  current?: true;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
  /** The service that did it, where no user did. */
  service?: string;
  /** All physics parameters as they are now. */
  parameters: PhysicsParameters;
}

/** The pieces of a universe that are kept, the newest first. */
export interface PieceList {
  /** The universes of this page. */
  items: Array<PieceSummary>;
  linksExpireAt: Timestamp;
}

/** A generated piece that is still kept. */
export interface PieceSummary {
  /** Names the piece; its MIDI file is found under it. */
  requestId: string;
  userId: UserId;
  timestamp: Timestamp;
  seed: Seed;
  duration: Duration;
  /** Beats a minute. */
  tempo: number;
  key: Key;
  scale: Scale;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The composer's version: another one makes other notes of the same seed. At least 1. */
  composerVersion?: number;
  /** The address of its Standard MIDI File, which needs no token until `linksExpireAt`. */
  midi: string;
}

/**
 * The states of participants, after `room_joined`.
 *
 * They come in one or more events, some of which may come later. Participants without a state
 * are absent.
 */
export interface PresenceStates {
  universeId: UniverseId;
  /** A state of each, in no order. */
  states: Array<ParticipantState>;
}

/**
 * A participant's new state, which replaces the last one as a whole.
 *
 * The user's other connections are sent it, too. `participant_left` ends it.
 */
export interface PresenceUpdated {
  universeId: UniverseId;
  /** Any JSON object of at most 1024 bytes, 4 levels deep. */
  state: Record<string, unknown>;
  userId: UserId;
  timestamp: Timestamp;
}

/** A participant in a room, with its state, if it has one. */
export interface PresentParticipant {
  userId: UserId;
  /** The user's display name. */
  username: string;
  mode: Mode;
  /** The `state` of its last `presence_updated`. */
  state?: Record<string, unknown>;
}

/** Show the others values before an update of them; without any values, end the preview. */
export interface PreviewParameters {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  physics?: PhysicsChanges;
  music?: MusicChanges;
  visualization?: VisualizationChanges;
}

/** Whether the process takes new work. */
export interface ReadinessBody {
  /** Whether new work is taken: only while `ready`. */
  status: "starting" | "ready" | "draining";
}

/** What became of a client's earlier session when it connected. */
export type RecoveryOutcome =
  /** The session goes on: what was missed is sent after `room_joined`. */
  | "recovered"
  /**
   * Earlier connections of the user are asked whether they are alive. The rooms of one that is
   * not follow within a ping timeout and a second, unless the client joins or leaves a room
   * before.
   */
  | "pending"
  /** A new session begins: the client joins its rooms itself. */
  | "new";

/** Why an earlier session does not go on, or does not yet. */
export type RecoveryReason =
  /** It is not known yet whether an earlier connection is broken. */
  | "PENDING"
  /** The client ended its session, and this one does not say its `pid`. */
  | "GOODBYE"
  /** The session ended longer ago than sessions are kept. */
  | "WINDOW"
  /** The client said `recovery: 0`. */
  | "DECLINED"
  /** The log does not hold all that was missed. */
  | "TRIMMED"
  /** There is no session that this client may continue. */
  | "NONE";

/** What became of the client's earlier session, and why. */
export interface RecoveryReport {
  /** Whether it was resumed. */
  outcome: RecoveryOutcome;
  /** Why it was not resumed, or not yet. */
  reason?: RecoveryReason;
}

/** Replace the connection's token by a newer one of the same user. */
export interface RefreshToken {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  /** The JSON Web Token. 1 to 8192 characters. */
  token: string;
}

/**
 * A request that is not granted: the client's fault or the moment's, never a crash.
 *
 * `message` is for a person; `details` for a program, `details.reason` first.
 */
export interface Refused {
  code: ErrorCode;
  /** What went wrong, for a person. */
  message: string;
  /** For programs: `reason`, `retryAfterMs`, `fields`, `errorId` and the like. */
  details: Details;
}

/** The ack of a command that was refused; the event of the refusal is sent as well. */
export interface Rejected {
  /** The command was refused. */
  ok: false;
  /** Why the command is refused. */
  error: Refused;
}

/**
 * The owner gave the user another role in a universe; without a `role`, it has none now.
 *
 * It is sent to the user's own connections in the room. What a connection may do there is its
 * mode, which `participant_joined` tells where it becomes a lower one.
 */
export interface RoleChanged {
  universeId: UniverseId;
  role?: Mode;
  timestamp: Timestamp;
}

/** The caller has joined: the room as of `seq`; later events continue from there. */
export interface RoomJoined {
  universeId: UniverseId;
  /** Who is in the room, the caller included. */
  participants: Array<Participant>;
  timestamp: Timestamp;
  /** The mode that this connection is in. */
  mode: Mode;
  /** All parameters as of `seq`. */
  parameters: Parameters;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The `seq` of the last frame that the client had before it dropped out. */
  fromSeq?: number;
  /** The endless piece that the universe plays, if any. */
  endlessPiece?: EndlessPiece;
}

/** The caller has left the room. */
export interface RoomLeft {
  universeId: UniverseId;
  timestamp: Timestamp;
}

/** Joining or leaving failed, or the room was closed to the caller. */
export interface RoomRefused {
  /** What went wrong, for a person. */
  error: string;
  code: ErrorCode;
  /** What went wrong, for a person. */
  message: string;
  /** For programs: `reason`, `retryAfterMs`, `fields`, `errorId` and the like. */
  details: Details;
  /** The universe in question, if the command named one. */
  universeId?: string;
}

/** A scale; the names at the end of the list are aliases. */
export type Scale = "major" | "minor" | "harmonic_minor" | "melodic_minor" | "ionian" | "dorian" | "phrygian" | "lydian" | "mixolydian" | "aeolian" | "locrian" | "major_pentatonic" | "minor_pentatonic" | "blues" | "whole_tone" | "chromatic" | "natural_minor" | "pentatonic" | "pentatonic_major" | "pentatonic_minor" | "harmonicMinor" | "melodicMinor" | "majorPentatonic" | "minorPentatonic" | "wholeTone";

/** What a piece's chance decisions are drawn from. */
export type Seed = number;

/** Give someone a role in a universe. */
export interface SetMember {
  role: Mode;
}

/** The ack of a signal, which the log does not store and so does not number. */
export interface SignalAccepted {
  /** It was done. */
  ok: true;
}

/**
 * Have the universe play an endless piece; it needs edit mode.
 *
 * A universe plays one at a time: a second start is refused, with the reason `PLAYING`. It
 * counts as a music generation request. The piece ends by `stop_music`, or 30 seconds after the
 * last participant has left.
 */
export interface StartMusic {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** What the piece is to be like; without it, a style is drawn. */
  style?: "classical" | "chorale" | "strings" | "ballad" | "pop" | "swing" | "ragtime" | "latin" | "march" | "minimal" | "waltz" | "minuet" | "barcarolle" | "jig" | "blues";
  seed?: Seed;
}

/**
 * The caller is back in a room where it was before, and has been sent what it missed.
 *
 * `recovered` is false if the missed events are no longer available: the room's current state
 * was sent instead.
 */
export interface StateRecovered {
  universeId: UniverseId;
  /** Whether all that was missed was sent again. */
  recovered: boolean;
  /** How many events were sent again. */
  missed: number;
  /** The `seq` of the last frame that the client had before it dropped out. */
  fromSeq: number;
  /** The `seq` up to which the client has everything now. */
  toSeq: number;
}

/** The events after the client's last one are not available: the universe as it is now. */
export interface StateReset {
  universeId: UniverseId;
  /** Who is in the room, the caller included. */
  participants: Array<Participant>;
  /** The parameters that are to change; at least one. */
  parameters: Parameters;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The endless piece that the universe plays, if any. */
  endlessPiece?: EndlessPiece;
  /** Why. */
  reason: RecoveryReason;
}

/** End the universe's endless piece; it needs edit mode, and counts as a parameter update. */
export interface StopMusic {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
}

/** Where a browser's `EventSource` follows a universe without a token. */
export interface StreamAddress {
  /** The address, which begins streams until `expiresAt`. */
  stream: string;
  /** When the token expires. */
  expiresAt: Timestamp;
}

/** The stream ends. A new request is refused for the same reason, unless that is `KICKED`. */
export interface StreamEnded {
  universeId: UniverseId;
  code: ErrorCode;
  /** What went wrong, for a person. */
  message: string;
  /** For programs: `reason`, `retryAfterMs`, `fields`, `errorId` and the like. */
  details: Details;
}

/** One stroke of the drums: a key of General MIDI's percussion, not a pitch. */
export interface Stroke {
  /** Which instrument is struck, as a key of General MIDI's percussion. 0 to 127. */
  key: number;
  /** When it is struck, in seconds from the start of the piece. At least 0. */
  startTime: number;
  /** How hard it is struck. 1 to 127. */
  velocity: number;
}

/**
 * Ask for the server's clock, and for how the connection is doing; answered by its ack.
 *
 * `t0` is the client's own clock. With `t3`, when the answer came by the client's clock, the
 * server's clock is ahead by ((t1 - t0) + (t2 - t3)) / 2. The error is at most half of the
 * round trip (t3 - t0) - (t2 - t1). Of several answers, the smallest t1 - t0 and the greatest
 * t2 - t3 give the smallest error.
 */
export interface TimeSync {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  /** The client's clock when it asked, in milliseconds. */
  t0: number;
}

/**
 * The ack of `time_sync`; all times in milliseconds.
 *
 * The server received at `t1` and answers at `t2`, both since 1970 by its clock. `rttMs` is the
 * round trip as the server measured it by its last heartbeat.
 */
export interface TimeSynced {
  /** The client's clock when it asked, in milliseconds. */
  t0: number;
  /** The server's clock when it received the question, in milliseconds since 1970. */
  t1: number;
  /** The server's clock when it answered, in milliseconds since 1970. */
  t2: number;
  /** The round trip of the last heartbeat, as the server measured it, in milliseconds. */
  rttMs?: number;
}

/** UTC with milliseconds, by the server's clock. */
export type Timestamp = string;

/** The token expires soon: time to send a newer one. */
export interface TokenExpiring {
  /** When the token expires. */
  expiresAt: Timestamp;
}

/** The newer token is in use. */
export interface TokenRefreshed {
  /** When the token expires. */
  expiresAt: Timestamp;
}

/**
 * A typed array of at most 8 KiB, such as a `Uint8Array` or a `Float32Array`. It travels as a
 * binary attachment of Socket.IO and is relayed byte for byte; the JSON text of the packet
 * holds a placeholder in its stead.
 */
export type TypedArray = ArrayBuffer | ArrayBufferView;

/** 1 to 64 letters, digits, `_` and `-`. */
export type UniverseId = string;

/** 1 to 100 visible characters. */
export type UniverseName = string;

/** A part of a listing; `nextCursor` asks for the next, and is absent at the end. */
export interface UniversePage {
  /** The universes of this page. */
  items: Array<UniverseSummary>;
  /** The `cursor` that asks for the next page; absent on the last one. */
  nextCursor?: string;
}

/** The universe as of `seq`: the first event of a stream. Later events continue from there. */
export interface UniverseState {
  universeId: UniverseId;
  /** Who is in the room, the caller included. */
  participants: Array<Participant>;
  /** The parameters that are to change; at least one. */
  parameters: Parameters;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The endless piece that the universe plays, if any. */
  endlessPiece?: EndlessPiece;
}

/** A universe in a listing. */
export interface UniverseSummary {
  id: UniverseId;
  /** The universe's name. */
  name: string;
  /** The user who created the universe. */
  owner: UserId;
  visibility: Visibility;
  /** What anyone may do in the universe while it is public. */
  publicMode: Mode;
  /** How many users may be in the room at the same time. */
  maxParticipants: number;
  /** When the universe was created. */
  createdAt: Timestamp;
}

/**
 * A universe's settings were changed: all of them as they are now.
 *
 * `userId` is who changed them. A client that missed it is sent it again when it returns,
 * `replayed`.
 */
export interface UniverseUpdated {
  universeId: UniverseId;
  /** The universe's name. */
  name: string;
  /** The user who created the universe. */
  owner: UserId;
  visibility: Visibility;
  /** What anyone may do in the universe while it is public. */
  publicMode: Mode;
  /** How many users may be in the room at the same time. */
  maxParticipants: number;
  /** The names of the settings that are others than before. */
  changed: Array<string>;
  userId: UserId;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
}

/** A universe as its visitors may see it; `members` and `bans` only for its owner. */
export interface UniverseView {
  id: UniverseId;
  /** The universe's name. */
  name: string;
  /** The user who created the universe. */
  owner: UserId;
  visibility: Visibility;
  /** What anyone may do in the universe while it is public. */
  publicMode: Mode;
  /** How many users may be in the room at the same time. */
  maxParticipants: number;
  /** All parameters as they are now. */
  parameters: Parameters;
  /** How many users are in the room. */
  participants: number;
  /** When the universe was created. */
  createdAt: Timestamp;
  /** When the universe last changed. */
  updatedAt: Timestamp;
  /** The `seq` of the universe's last frame. */
  seq: number;
  /** The members' roles by user id; only the owner is told. */
  members?: Record<string, Mode>;
  /** Banned users, each with the time of the ban. */
  bans?: Record<string, Timestamp>;
}

/** Change music parameters. */
export interface UpdateMusic {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** The parameters that are to change; at least one. */
  parameters: MusicChanges;
}

/** Change several parameter sets at once: all of it happens, or nothing. */
export interface UpdateParameters {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  physics?: PhysicsChanges;
  music?: MusicChanges;
  visualization?: VisualizationChanges;
}

/** Change physics parameters. */
export interface UpdatePhysics {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** The parameters that are to change; at least one. */
  parameters: PhysicsChanges;
}

/**
 * Set the user's own state, which the others are sent.
 *
 * The server keeps it while the user is in the room. A client that returns, and finds no state
 * of its own in `presence_states`, sends it again.
 */
export interface UpdatePresence {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** Any JSON object of at most 1024 bytes, 4 levels deep. */
  state: Record<string, unknown>;
}

/**
 * Change a universe's settings.
 *
 * A new `owner` must be a member; the former owner becomes a member who may edit.
 */
export interface UpdateUniverse {
  name?: UniverseName;
  visibility?: Visibility;
  /** What anyone may do in the universe while it is public. */
  publicMode?: Mode;
  /** How many users may be in the room at the same time. 1 to 1000. */
  maxParticipants?: number;
  /** The user who created the universe. */
  owner?: UserId;
}

/** Change visualization parameters. */
export interface UpdateVisualization {
  opId?: OperationId;
  /** The W3C trace context that the command belongs to, version 00. */
  traceparent?: string;
  universeId: UniverseId;
  /** The parameters that are to change; at least one. */
  parameters: VisualizationChanges;
}

/**
 * An operator erased a user from the universe.
 *
 * From now on `placeholder` replaces `userId`, in the universe's state and in its history: show
 * it instead, and keep nothing of the user. Clients that missed this event are sent the
 * universe's full state.
 */
export interface UserErased {
  universeId: UniverseId;
  userId: UserId;
  placeholder: UserId;
  timestamp: Timestamp;
  /** Counts the frames that the members of the universe see, without holes. */
  seq: number;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
}

/** Whatever the identity provider gives as `sub`. */
export type UserId = string;

/** Who may find and view a universe: anyone, or its owner and members only. */
export type Visibility = "public" | "private";

/** How a universe looks. */
export interface VisualizationChanges {
  /** How bright the universe is. 0 to 1. */
  brightness?: number;
  /** How strong the colours are. 0 to 1. */
  saturation?: number;
  /** How intricate the picture is. 0 to 1. */
  complexity?: number;
  colorScheme?: ColorScheme;
  /** How many particles are drawn. 100 to 10000. */
  particleCount?: number;
  /** How strongly things glow. 0 to 1. */
  glowIntensity?: number;
}

/** How a universe looks. */
export interface VisualizationParameters {
  /** How bright the universe is. 0 to 1, default 0.8. */
  brightness: number;
  /** How strong the colours are. 0 to 1, default 0.7. */
  saturation: number;
  /** How intricate the picture is. 0 to 1, default 0.6. */
  complexity: number;
  /** Default rainbow. */
  colorScheme: ColorScheme;
  /** How many particles are drawn. 100 to 10000, default 5000. */
  particleCount: number;
  /** How strongly things glow. 0 to 1, default 0.5. */
  glowIntensity: number;
}

/** Someone changed visualization parameters; all of them as they are now. */
export interface VisualizationUpdated {
  universeId: UniverseId;
  userId: UserId;
  timestamp: Timestamp;
  /** The names of the fields that were sent, in this update, to be changed. */
  changed: Array<string>;
  /** Counts the frames that the members of the universe see, without holes. */
  seq?: number;
  /** The event gives the current values after a return: nothing happened just now. */
  current?: true;
  /** The client missed this event, and is sent it again. */
  replayed?: true;
  /** The service that did it, where no user did. */
  service?: string;
  /** All visualization parameters as they are now. */
  parameters: VisualizationParameters;
}

/** An event that may be emitted with or without a wish for an ack. */
export type Emit<Payload, Answer> = (
  ...args: [payload: Payload] | [payload: Payload, ack: (answer: Answer) => void]
) => void;

/** What a client may emit. */
export interface ClientToServerEvents {
  /**
   * Enter a universe's room, or change one's mode in it.
   *
   * Followed by `room_joined` and `participant_joined`, or by `room_error` where it is refused.
   * Joins and leaves of a user in any minute: 30. A message may take 64 KiB.
   */
  join_room: Emit<JoinRoom, Accepted | Rejected>;
  /**
   * Leave a universe's room.
   *
   * Followed by `room_left` and `participant_left`, or by `room_error` where it is refused.
   * Joins and leaves of a user in any minute: 30. A message may take 64 KiB.
   */
  leave_room: Emit<LeaveRoom, Accepted | Rejected>;
  /**
   * Change physics parameters.
   *
   * Followed by `physics_updated`, or by `error` where it is refused. Parameter updates of a
   * user in any minute: 60. A message may take 64 KiB.
   */
  update_physics: Emit<UpdatePhysics, Accepted | Rejected>;
  /**
   * Change music parameters.
   *
   * Followed by `music_updated`, or by `error` where it is refused. Parameter updates of a user
   * in any minute: 60. A message may take 64 KiB.
   */
  update_music: Emit<UpdateMusic, Accepted | Rejected>;
  /**
   * Change visualization parameters.
   *
   * Followed by `visualization_updated`, or by `error` where it is refused. Parameter updates
   * of a user in any minute: 60. A message may take 64 KiB.
   */
  update_visualization: Emit<UpdateVisualization, Accepted | Rejected>;
  /**
   * Change several parameter sets at once: all of it happens, or nothing.
   *
   * Followed by `physics_updated` and `music_updated` and `visualization_updated`, or by
   * `error` where it is refused. Parameter updates of a user in any minute: 60. A message may
   * take 64 KiB.
   */
  update_parameters: Emit<UpdateParameters, Accepted | Rejected>;
  /**
   * Ask for a piece from the universe's parameters as they are now.
   *
   * Followed by `music_generated`, or by `error` where it is refused. Music generation requests
   * of a user in any minute: 10. A message may take 64 KiB.
   */
  generate_music: Emit<GenerateMusic, Accepted | Rejected>;
  /**
   * Have the universe play an endless piece; it needs edit mode.
   *
   * A universe plays one at a time: a second start is refused, with the reason `PLAYING`. It
   * counts as a music generation request. The piece ends by `stop_music`, or 30 seconds after
   * the last participant has left.
   *
   * Followed by `music_started`, or by `error` where it is refused. Music generation requests
   * of a user in any minute: 10. A message may take 64 KiB.
   */
  start_music: Emit<StartMusic, Accepted | Rejected>;
  /**
   * End the universe's endless piece; it needs edit mode, and counts as a parameter update.
   *
   * Followed by `music_stopped`, or by `error` where it is refused. Parameter updates of a user
   * in any minute: 60. A message may take 64 KiB.
   */
  stop_music: Emit<StopMusic, Accepted | Rejected>;
  /**
   * Show the room what one hears.
   *
   * Followed by `audio_analyzed`, or by `error` where it is refused. Live signals of a kind of
   * a connection in a second: 30 on average, 90 at once. A message may take 128 KiB.
   */
  audio_analysis: Emit<AudioAnalysis, SignalAccepted | Rejected>;
  /**
   * Show the others values before an update of them; without any values, end the preview.
   *
   * Followed by `parameters_previewed`, or by `error` where it is refused. Live signals of a
   * kind of a connection in a second: 30 on average, 90 at once. A message may take 64 KiB.
   */
  preview_parameters: Emit<PreviewParameters, SignalAccepted | Rejected>;
  /**
   * Set the user's own state, which the others are sent.
   *
   * The server keeps it while the user is in the room. A client that returns, and finds no
   * state of its own in `presence_states`, sends it again.
   *
   * Followed by `presence_updated`, or by `error` where it is refused. Live signals of a kind
   * of a connection in a second: 30 on average, 90 at once. A message may take 8 KiB.
   */
  update_presence: Emit<UpdatePresence, SignalAccepted | Rejected>;
  /**
   * Replace the connection's token by a newer one of the same user.
   *
   * Followed by `token_refreshed`, or by `error` where it is refused. A message may take 64
   * KiB.
   */
  refresh_token: Emit<RefreshToken, SignalAccepted | Rejected>;
  /**
   * Ask for the server's clock, and for how the connection is doing; answered by its ack.
   *
   * `t0` is the client's own clock. With `t3`, when the answer came by the client's clock, the
   * server's clock is ahead by ((t1 - t0) + (t2 - t3)) / 2. The error is at most half of the
   * round trip (t3 - t0) - (t2 - t1). Of several answers, the smallest t1 - t0 and the greatest
   * t2 - t3 give the smallest error.
   *
   * Followed by `error` where it is refused. A message may take 64 KiB.
   */
  time_sync: Emit<TimeSync, TimeSynced | Rejected>;
}

/** What a client may hear. */
export interface ServerToClientEvents {
  /**
   * The connection is accepted.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  connect_success: (payload: ConnectSuccess) => void;
  /**
   * The token expires soon: time to send a newer one.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  token_expiring: (payload: TokenExpiring) => void;
  /**
   * The newer token is in use.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  token_refreshed: (payload: TokenRefreshed) => void;
  /**
   * The caller has joined: the room as of `seq`; later events continue from there.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  room_joined: (payload: RoomJoined) => void;
  /**
   * The caller has left the room.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  room_left: (payload: RoomLeft) => void;
  /**
   * Joining or leaving failed, or the room was closed to the caller.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  room_error: (payload: RoomRefused) => void;
  /**
   * The caller is back in a room where it was before, and has been sent what it missed.
   *
   * `recovered` is false if the missed events are no longer available: the room's current state
   * was sent instead.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  state_recovered: (payload: StateRecovered) => void;
  /**
   * Someone joined the room, or changed mode in it.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`, but
   * never sent again: the list of participants in `room_joined` replaces what was missed.
   */
  participant_joined: (payload: ParticipantJoined) => void;
  /**
   * The last connection of someone left the room.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`, but
   * never sent again: the list of participants in `room_joined` replaces what was missed.
   */
  participant_left: (payload: ParticipantLeft) => void;
  /**
   * A universe's settings were changed: all of them as they are now.
   *
   * `userId` is who changed them. A client that missed it is sent it again when it returns,
   * `replayed`.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  universe_updated: (payload: UniverseUpdated) => void;
  /**
   * An operator erased a user from the universe.
   *
   * From now on `placeholder` replaces `userId`, in the universe's state and in its history:
   * show it instead, and keep nothing of the user. Clients that missed this event are sent the
   * universe's full state.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  user_erased: (payload: UserErased) => void;
  /**
   * The owner gave the user another role in a universe; without a `role`, it has none now.
   *
   * It is sent to the user's own connections in the room. What a connection may do there is its
   * mode, which `participant_joined` tells where it becomes a lower one.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  role_changed: (payload: RoleChanged) => void;
  /**
   * Someone changed physics parameters; all of them as they are now.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  physics_updated: (payload: PhysicsUpdated) => void;
  /**
   * Someone changed music parameters; all of them as they are now.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  music_updated: (payload: MusicUpdated) => void;
  /**
   * Someone changed visualization parameters; all of them as they are now.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  visualization_updated: (payload: VisualizationUpdated) => void;
  /**
   * A piece for everyone in the room.
   *
   * Its notes are sorted by `startTime`, and none ends after `duration`.
   *
   * The same `seed`, parameters, duration and `style` give the same notes from the same
   * `composerVersion`. Drums are separate from the notes: their keys are not pitches. A piece
   * that answers another names it in `after`. `service` is the service that asked for the
   * piece.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  music_generated: (payload: MusicGenerated) => void;
  /**
   * The universe plays an endless piece from now on: its bars follow as `music_bar`.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  music_started: (payload: MusicStarted) => void;
  /**
   * The endless piece is over: nothing of it sounds from `endsAt` on.
   *
   * `reason` is `stopped`, by the user `userId`, or `empty`: nobody was left to hear it.
   *
   * Sent to everyone in the room, the sender included. It is stored and numbered by `seq`
   * before anyone sees it. A client that missed it while its session is recovered is sent it
   * again.
   */
  music_stopped: (payload: MusicStopped) => void;
  /**
   * A bar of the endless piece, sent between one and three seconds before it begins.
   *
   * Each bar begins when the one before ends. After an outage of the server, the next bar may
   * begin later, never earlier. The notes' `startTime` counts from the bar's beginning; a note
   * may ring beyond the bar's end. `asOf` is the `seq` of the last update whose values are
   * heard. Bars that have not ended are sent again to a client that enters or returns: tell
   * repeated bars by their `streamId` and `bar`. A client whose connection is broken when the
   * next bar is due plays `forecast` in its place.
   *
   * Sent to everyone in the room, the sender included. It is for a certain time: it is not
   * numbered, and is sent again to clients that enter or return before that time is over. It is
   * dropped only after that.
   */
  music_bar: (payload: MusicBar) => void;
  /**
   * What an editor hears, with the editor's own time in `analysis.timestamp`.
   *
   * Sent to everyone in the room, the sender included. It is a live signal: not stored, not
   * numbered, never sent again, and the first to be dropped under pressure.
   */
  audio_analyzed: (payload: AudioAnalyzed) => void;
  /**
   * Someone else in the room tries values out; only an update changes the stored ones.
   *
   * It replaces the user's earlier preview. It ends with an update of its values, with a
   * preview of none, with `participant_left`, and after a second without another one.
   *
   * Sent to everyone else in the room, the sender's other connections included. It is a live
   * signal: not stored, not numbered, never sent again, and the first to be dropped under
   * pressure.
   */
  parameters_previewed: (payload: ParametersPreviewed) => void;
  /**
   * A participant's new state, which replaces the last one as a whole.
   *
   * The user's other connections are sent it, too. `participant_left` ends it.
   *
   * Sent to everyone else in the room, the sender's other connections included. It is a live
   * signal: not stored, not numbered, never sent again, and the first to be dropped under
   * pressure.
   */
  presence_updated: (payload: PresenceUpdated) => void;
  /**
   * The states of participants, after `room_joined`.
   *
   * They come in one or more events, some of which may come later. Participants without a state
   * are absent.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  presence_states: (payload: PresenceStates) => void;
  /**
   * A command was refused.
   *
   * Sent to the connection that it concerns. It is an answer to one connection, and not stored.
   */
  error: (payload: ErrorReported) => void;
}

/** The name of a command. */
export type CommandName = keyof ClientToServerEvents;

/** What the command `C` carries. */
export type PayloadOf<C extends CommandName> =
  ClientToServerEvents[C] extends Emit<infer Payload, infer _> ? Payload : never;

/** The ack of the command `C`, carried out or refused. */
export type AnswerOf<C extends CommandName> =
  ClientToServerEvents[C] extends Emit<infer _, infer Answer> ? Answer : never;

/** What an event carries. */
export type EventOf<E extends keyof ServerToClientEvents> =
  ServerToClientEvents[E] extends (payload: infer Payload) => void ? Payload : never;

/** A refusal as clients throw it, with what programs ask for most beside its `details`. */
export interface RefusalError extends Error {
  code: ErrorCode;
  reason?: ErrorReason | undefined;
  retryAfterMs?: number | undefined;
  fields?: Array<InvalidField> | undefined;
  details: Details;
}

/** What values a parameter takes, for those who build controls. */
export interface ParameterRange {
  readonly default: number | string;
  /** The smallest number. */
  readonly min?: number;
  /** The largest number. */
  readonly max?: number;
  /** Only whole numbers are taken. */
  readonly whole?: true;
  /** The words that are taken; without them and without numbers, any word. */
  readonly options?: readonly string[];
}

/** What values each parameter takes, set by set. */
export const PARAMETERS: {
  readonly [S in keyof Parameters]: { readonly [F in keyof Parameters[S]]: ParameterRange };
} = {
  physics: {
    gravity: {"default": 9.81, "min": 0, "max": 20},
    friction: {"default": 0.5, "min": 0, "max": 1},
    elasticity: {"default": 0.7, "min": 0, "max": 1},
    airResistance: {"default": 0.1, "min": 0, "max": 1},
    timeScale: {"default": 1, "min": 0.1, "max": 5},
  },
  music: {
    harmony: {"default": 0.7, "min": 0, "max": 1},
    tempo: {"default": 120, "min": 40, "max": 200},
    key: {"default": "C", "options": ["C", "C#", "Db", "D", "D#", "Eb", "E", "Fb", "E#", "F", "F#", "Gb", "G", "G#", "Ab", "A", "A#", "Bb", "B", "Cb", "B#"]},
    scale: {"default": "major", "options": ["major", "minor", "harmonic_minor", "melodic_minor", "ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian", "major_pentatonic", "minor_pentatonic", "blues", "whole_tone", "chromatic", "natural_minor", "pentatonic", "pentatonic_major", "pentatonic_minor", "harmonicMinor", "melodicMinor", "majorPentatonic", "minorPentatonic", "wholeTone"]},
    rhythmComplexity: {"default": 0.5, "min": 0, "max": 1},
    melodyRange: {"default": 0.8, "min": 0, "max": 1},
  },
  visualization: {
    brightness: {"default": 0.8, "min": 0, "max": 1},
    saturation: {"default": 0.7, "min": 0, "max": 1},
    complexity: {"default": 0.6, "min": 0, "max": 1},
    colorScheme: {"default": "rainbow"},
    particleCount: {"default": 5000, "min": 100, "max": 10000, "whole": true},
    glowIntensity: {"default": 0.5, "min": 0, "max": 1},
  },
};
