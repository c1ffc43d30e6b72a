// What a client's author writes against protocol.ts: every command, every event, every field.
import { io, type Socket } from "socket.io-client";
import type {
  Accepted,
  AnswerOf,
  ClientToServerEvents,
  ConnectError,
  ErrorBody,
  EventOf,
  Parameters,
  PayloadOf,
  RefusalError,
  Rejected,
  ServerToClientEvents,
  UniverseView,
  UniversePage,
} from "../../shared/contract/protocol";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("wss://localhost/ws", {
  auth: (answer) => answer({ token: "t" }),
});
const universeId = "universe-123";
const text = (...values: string[]): void => void values;
const number = (...values: number[]): void => void values;

function judge(answer: Accepted | Rejected): void {
  if (answer.ok) {
    number(answer.seq);
  } else {
    text(answer.error.code, answer.error.message, String(answer.error.details.reason));
  }
}

socket.emit("join_room", { universeId, mode: "edit" });
socket.emit("join_room", { universeId, mode: "view", opId: "1" }, judge);
socket.emit("leave_room", { universeId }, judge);
socket.emit(
  "update_physics",
  {
    universeId,
    parameters: { gravity: 1, friction: 0, elasticity: 0, airResistance: 0, timeScale: 1 },
  },
  judge,
);
socket.emit(
  "update_music",
  {
    universeId,
    parameters: {
      harmony: 1,
      tempo: 90,
      key: "F#",
      scale: "dorian",
      rhythmComplexity: 0,
      melodyRange: 1,
    },
  },
  judge,
);
socket.emit(
  "update_visualization",
  {
    universeId,
    parameters: {
      brightness: 1,
      saturation: 1,
      complexity: 0,
      colorScheme: "ocean",
      particleCount: 100,
      glowIntensity: 0,
    },
  },
  judge,
);
socket.emit(
  "update_parameters",
  { universeId, physics: { gravity: 1 }, music: { tempo: 90 }, visualization: { brightness: 1 } },
  judge,
);
socket.emit("generate_music", { universeId, duration: 8, seed: 1 }, judge);
socket.emit("start_music", { universeId, style: "waltz", seed: 1 }, judge);
socket.emit("stop_music", { universeId }, judge);
socket.emit("audio_analysis", {
  universeId,
  analysis: { frequencies: [-40, null], waveform: [0.5], timestamp: "2024-03-21T10:30:00Z" },
});
socket.emit(
  "audio_analysis",
  {
    universeId,
    analysis: {
      frequencies: new Float32Array(4),
      waveform: new Uint8Array(4).buffer,
      timestamp: "2024-03-21T10:30:00Z",
    },
  },
  (answer) => text(answer.ok ? "shown" : answer.error.code),
);
socket.emit("preview_parameters", { universeId, physics: { gravity: 3 } }, (answer) =>
  text(answer.ok ? "shown" : answer.error.code),
);
socket.emit("update_presence", { universeId, state: { cursor: [1, 2], color: "red" } }, (answer) =>
  text(answer.ok ? "shown" : answer.error.code),
);
socket.emit("refresh_token", { token: "a newer token" }, (answer) =>
  text(answer.ok ? "taken" : answer.error.code),
);
socket.emit("time_sync", { t0: Date.now() }, (answer) => {
  if ("t1" in answer) number(answer.t0, answer.t1, answer.t2, answer.rttMs ?? 0);
  else text(answer.error.code);
});
socket.timeout(1000).emit("leave_room", { universeId }, (late, answer) => {
  if (late === null) judge(answer);
});
const answer: Accepted | Rejected = await socket.emitWithAck("leave_room", { universeId });
judge(answer);

function show(parameters: Parameters): void {
  const { physics, music, visualization } = parameters;
  number(physics.gravity, physics.friction, physics.elasticity);
  number(physics.airResistance, physics.timeScale);
  number(music.harmony, music.tempo, music.rhythmComplexity, music.melodyRange);
  text(music.key, music.scale);
  number(visualization.brightness, visualization.saturation, visualization.complexity);
  number(visualization.particleCount, visualization.glowIntensity);
  text(visualization.colorScheme);
}

socket.on("connect_error", (error) => {
  const { message, data } = error as ConnectError;
  text(message, data.error, data.code, String(data.details.reason));
});
socket.on("connect_success", (told) => {
  text(told.userId, told.timestamp, told.sessionId, told.expiresAt, told.serverTime);
  text(told.recovered ? "again" : "anew", told.pid ?? "", told.offset ?? "");
  const { messageBytes, audioMessageBytes, messageDepth, rooms, queuedCommands } = told.limits;
  number(told.protocol, messageBytes, audioMessageBytes, messageDepth, rooms, queuedCommands);
  const { parametersPerMinute, generationsPerMinute, roomsPerMinute } = told.limits;
  number(parametersPerMinute, generationsPerMinute, roomsPerMinute);
  number(told.limits.signalsPerSecond, told.limits.eventsPerSecond);
});
socket.on("token_expiring", ({ expiresAt }) => text(expiresAt));
socket.on("token_refreshed", ({ expiresAt }) => text(expiresAt));
socket.on("room_joined", (room) => {
  text(room.universeId, room.timestamp, room.mode);
  for (const who of room.participants) text(who.userId, who.username, who.mode);
  show(room.parameters);
  number(room.seq, room.fromSeq ?? room.seq);
});
socket.on("state_recovered", (back) => {
  text(back.universeId, back.recovered ? "all of it" : "as it is now");
  number(back.missed, back.fromSeq, back.toSeq);
});
socket.on("room_left", (room) => text(room.universeId, room.timestamp));
socket.on("room_error", (refusal) => {
  text(refusal.error, refusal.code, refusal.message, refusal.universeId ?? "");
  text(String(refusal.details.errorId));
});
socket.on("participant_joined", (change) => {
  text(change.universeId, change.participant.username, change.timestamp);
  number(change.seq);
});
socket.on("participant_left", (change) => {
  text(change.universeId, change.userId, change.timestamp);
  number(change.seq);
});
socket.on("universe_updated", (update) => {
  text(update.universeId, update.name, update.owner, update.visibility, update.publicMode);
  text(update.userId, update.timestamp, ...update.changed);
  number(update.maxParticipants, update.seq, update.replayed ? 1 : 0);
});
socket.on("user_erased", (erased) => {
  text(erased.universeId, erased.userId, erased.placeholder, erased.timestamp);
  number(erased.seq, erased.replayed ? 1 : 0);
});
socket.on("role_changed", ({ universeId, role, timestamp }) => {
  text(universeId, role ?? "none", timestamp);
});
socket.on("physics_updated", (update) => {
  text(update.universeId, update.userId, update.timestamp, ...update.changed);
  number(update.current ? 0 : (update.seq ?? 0), update.parameters.gravity);
});
socket.on("music_updated", (update) => {
  text(update.universeId, update.userId, update.timestamp, ...update.changed);
  number(update.current ? 0 : (update.seq ?? 0), update.parameters.tempo);
});
socket.on("visualization_updated", (update) => {
  text(update.universeId, update.userId, update.timestamp, ...update.changed);
  number(update.current ? 0 : (update.seq ?? 0), update.parameters.particleCount);
});
socket.on("music_generated", (piece) => {
  text(piece.universeId, piece.timestamp, piece.requestId, piece.userId, piece.key, piece.scale);
  number(piece.seed, piece.duration, piece.tempo, piece.seq, Date.parse(piece.playAt ?? ""));
  for (const note of piece.notes) {
    number(note.pitch, note.startTime, note.duration, note.velocity);
  }
});
socket.on("music_started", (piece) => {
  text(piece.universeId, piece.streamId, piece.userId, piece.style ?? "any", piece.timestamp);
  number(piece.seed, piece.seq, piece.replayed ? 1 : 0);
});
socket.on("music_stopped", (piece) => {
  text(piece.universeId, piece.streamId, piece.userId ?? "", piece.reason, piece.timestamp);
  number(Date.parse(piece.endsAt), piece.seq, piece.replayed ? 1 : 0);
});
socket.on("music_bar", (bar) => {
  text(bar.universeId, bar.streamId, bar.key, bar.scale, bar.style ?? "", bar.meter ?? "4/4");
  number(bar.bar, Date.parse(bar.startsAt), bar.duration, bar.tempo, bar.asOf);
  for (const note of bar.notes) number(note.pitch, note.startTime, note.duration, note.velocity);
  for (const stroke of bar.drums ?? []) number(stroke.key, stroke.startTime, stroke.velocity);
});
socket.on("audio_analyzed", ({ universeId, analysis, userId, timestamp }) => {
  text(universeId, userId, timestamp, analysis.timestamp);
  for (const samples of [analysis.frequencies, analysis.waveform]) {
    number(Array.isArray(samples) ? samples.length : samples.byteLength);
  }
});
socket.on("parameters_previewed", ({ universeId, userId, timestamp, physics, music }) => {
  text(universeId, userId, timestamp, music?.key ?? "");
  number(physics?.gravity ?? 0);
});
socket.on("presence_updated", ({ universeId, userId, timestamp, state }) => {
  text(universeId, userId, timestamp, String(state.color));
});
socket.on("presence_states", ({ universeId, states }) => {
  for (const one of states) text(universeId, one.userId, String(one.state.color));
});
socket.on("error", (refusal) => {
  text(refusal.code, refusal.message, String(refusal.details.errorId));
});

const page: UniversePage = JSON.parse("{}");
for (const item of page.items) text(item.id, item.name, item.owner, item.createdAt);
text(page.nextCursor ?? "");
const universe: UniverseView = JSON.parse("{}");
show(universe.parameters);
text(universe.members?.["user-123"] ?? "view", universe.updatedAt);
text((JSON.parse("{}") as ErrorBody).error.code);

const asked: PayloadOf<"generate_music"> = { universeId, duration: 8 };
number(asked.duration);
const said: AnswerOf<"update_physics"> = { ok: true, seq: 1 };
judge(said);
const synced: AnswerOf<"time_sync"> = { t0: 1, t1: 2, t2: 3 };
number("t1" in synced ? synced.t1 : 0);
const piece: EventOf<"music_generated"> = JSON.parse("{}");
number(piece.notes.length);
const thrown = Object.assign(new Error("Too many"), { code: "RATE_LIMITED", details: {} } as const);
const refusal: RefusalError = thrown;
text(refusal.code, String(refusal.reason), ...(refusal.fields ?? []).map(({ field }) => field));
number(refusal.retryAfterMs ?? 0);

// What the compiler has to refuse.
// @ts-expect-error: what a command carries is its own
const wrongPayload: PayloadOf<"generate_music"> = { universeId, mode: "edit" };
// @ts-expect-error: a live signal's ack has no number
const wrongAnswer: AnswerOf<"preview_parameters"> = { ok: true, seq: 1 };
// @ts-expect-error: no such reason
refusal.reason = "BECAUSE";
// @ts-expect-error: no such command
socket.emit("update_gravity", { universeId });
// @ts-expect-error: the universe is missing
socket.emit("join_room", { mode: "edit" });
// @ts-expect-error: no such mode
socket.emit("join_room", { universeId, mode: "own" });
// @ts-expect-error: no such parameter
socket.emit("update_physics", { universeId, parameters: { mass: 1 } });
// @ts-expect-error: a number as a string
socket.emit("update_physics", { universeId, parameters: { gravity: "1" } });
// @ts-expect-error: no such key
socket.emit("update_music", { universeId, parameters: { key: "H" } });
// @ts-expect-error: the duration is missing
socket.emit("generate_music", { universeId });
// @ts-expect-error: a live signal is not numbered
socket.emit("audio_analysis", { universeId, analysis: JSON.parse("{}") }, (ack) => ack.seq);
// @ts-expect-error: no such event
socket.on("gravity_updated", () => undefined);
// @ts-expect-error: no such field of an event
socket.on("room_joined", (room) => room.owner);
// @ts-expect-error: a refusal's ack has no number
socket.emit("leave_room", { universeId }, (ack) => ack.seq);
