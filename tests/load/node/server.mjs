// A Socket.IO server with Redis between its processes, as one would write it with the official
// packages: it verifies tokens, checks updates and tells a room the same as the product does, and
// keeps what it knows in its own memory. Nothing is stored, nobody is limited, no user has rights.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { createClient } from "redis";
import { Server } from "socket.io";

const { values: options } = parseArgs({
  options: {
    port: { type: "string" },
    redis: { type: "string" },
    secret: { type: "string" },
    "ping-interval-s": { type: "string" },
    "ping-timeout-s": { type: "string" },
  },
});

/** The least and the most of each parameter. */
const PHYSICS = {
  gravity: [0, 20],
  friction: [0, 1],
  elasticity: [0, 1],
  airResistance: [0, 1],
  timeScale: [0.1, 5],
};
const DEFAULTS = { gravity: 9.81, friction: 0.5, elasticity: 0.7, airResistance: 0.1, timeScale: 1 };

const publisher = createClient({ socket: { host: "127.0.0.1", port: Number(options.redis) } });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer();
const server = new Server(http, {
  adapter: createAdapter(publisher, subscriber),
  pingInterval: 1000 * Number(options["ping-interval-s"]),
  pingTimeout: 1000 * Number(options["ping-timeout-s"]),
});
const namespace = server.of("/ws");
const universes = new Map();

namespace.use((socket, next) => {
  try {
    socket.data.user = jwt.verify(socket.handshake.auth.token, options.secret, {
      algorithms: ["HS256"],
      clockTolerance: 5,
    }).sub;
    next();
  } catch {
    next(new Error("Invalid token"));
  }
});

namespace.on("connection", (socket) => {
  const user = socket.data.user;
  socket.emit("connect_success", { userId: user, timestamp: now() });

  socket.on("join_room", (request) => {
    const { universeId, mode } = request ?? {};
    if (typeof universeId !== "string" || !["view", "edit"].includes(mode)) {
      socket.emit("room_error", { code: "INVALID_PARAMETERS" });
      return;
    }
    let universe = universes.get(universeId);
    if (universe === undefined) {
      universe = { physics: { ...DEFAULTS }, participants: new Map(), seq: 0 };
      universes.set(universeId, universe);
    }
    const participant = { userId: user, username: user, mode };
    universe.participants.set(user, participant);
    socket.join(universeId);
    const joined = { universeId, participant, timestamp: now(), seq: ++universe.seq };
    namespace.to(universeId).emit("participant_joined", joined);
    socket.emit("room_joined", {
      universeId,
      participants: [...universe.participants.values()],
      parameters: { physics: universe.physics },
      mode,
      timestamp: joined.timestamp,
      seq: joined.seq,
    });
  });

  socket.on("update_physics", (request, acknowledge) => {
    const universe = universes.get(request?.universeId);
    if (universe === undefined || !universe.participants.has(user) || !valid(request.parameters)) {
      socket.emit("error", { code: "INVALID_PARAMETERS" });
      return;
    }
    Object.assign(universe.physics, request.parameters);
    const stamp = { timestamp: now(), seq: ++universe.seq };
    namespace.to(request.universeId).emit("physics_updated", {
      universeId: request.universeId,
      parameters: universe.physics,
      userId: user,
      changed: Object.keys(request.parameters),
      ...stamp,
    });
    acknowledge({ ok: true, ...stamp });
  });
});

function valid(parameters) {
  return (
    typeof parameters === "object" &&
    parameters !== null &&
    Object.entries(parameters).every(([name, value]) => {
      const [least, most] = PHYSICS[name] ?? [1, 0];
      return typeof value === "number" && value >= least && value <= most;
    })
  );
}

function now() {
  return new Date().toISOString();
}

http.listen(Number(options.port), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`);
});
