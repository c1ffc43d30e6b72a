// Loaded by mocha beside a suite, so that a test that waits for a close sees the one it means.
import { WebSocket } from 'ws';

const PING = '2';
const PONG = '3';
// Longer than the server waits for a namespace, which itself is longer than tests may take.
const NO_HANDSHAKE_TIMEOUT_MS = 15_000;
// These answer pings themselves, or mean not to.
const HEARTBEAT = /heartbeat/;
const NO_HANDSHAKE = /no handshake is received/;

let answers = true;

export const mochaHooks = {
  beforeEach() {
    const title = this.currentTest.fullTitle();
    answers = !HEARTBEAT.test(title);
    if (NO_HANDSHAKE.test(title)) {
      this.currentTest.timeout(NO_HANDSHAKE_TIMEOUT_MS);
    }
  },
};

// The suites leave pings unanswered, for which any connection is closed after half a second.
const { emit } = WebSocket.prototype;
WebSocket.prototype.emit = function (event, data, isBinary) {
  if (answers && event === 'message' && !isBinary && String(data) === PING) {
    this.send(PONG);
  }
  return emit.apply(this, arguments);
};
