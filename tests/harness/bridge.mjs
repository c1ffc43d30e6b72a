// Runs official JavaScript clients for tests in Python: a line of JSON in is code to run for a
// client, a line of JSON out is what it came to, or an event that a client heard.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const clients = process.argv[2];
const require = createRequire(`${clients}/package.json`);
const ioByVersion = Object.fromEntries(
  ['socket.io-client', 'socket.io-client-3'].map(name => [
    require(`${name}/package.json`).version,
    require(name).io,
  ]),
);
const AsyncFunction = (async () => {}).constructor;
const sockets = new Map();

function say(line) {
  process.stdout.write(`${JSON.stringify(readable(line))}\n`);
}

// JSON has no binary: attachments are shown in hexadecimal.
function readable(value) {
  if (value instanceof ArrayBuffer) return { hex: Buffer.from(value).toString('hex') };
  if (ArrayBuffer.isView(value)) {
    return { hex: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex') };
  }
  if (Array.isArray(value)) return value.map(readable);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item)]));
}

function adopt(client, socket) {
  sockets.set(client, socket);
  socket.onAny((event, data) => say({ client, event, data }));
  socket.on('connect', () => say({ client, event: 'connect', data: {} }));
  socket.on('disconnect', reason => say({ client, event: 'disconnect', data: { reason } }));
  socket.on('connect_error', ({ message, data }) =>
    say({ client, event: 'connect_error', data: { message, data } }),
  );
}

// What a snippet prints is heard, too: standard output is taken.
function consoleOf(client) {
  const print = (...args) => say({ client, event: 'console', data: { text: args.join(' ') } });
  return { log: print, error: print };
}

async function run({ id, client, version, code }) {
  try {
    const known = { io: ioByVersion[version], socket: sockets.get(client) };
    known.console = consoleOf(client);
    const result = await new AsyncFunction(...Object.keys(known), code)(...Object.values(known));
    const isSocket = typeof result?.onAny === 'function';
    if (isSocket) adopt(client, result);
    say({ id, result: isSocket ? null : (result ?? null) });
  } catch (error) {
    say({ id, error: String(error?.stack ?? error) });
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', line => run(JSON.parse(line)));
lines.on('close', () => process.exit(0));
