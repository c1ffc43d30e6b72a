// A small client of Harmonic Universe on top of the official socket.io-client.
import { io } from 'socket.io-client';

const ANSWER_TIMEOUT_MS = 5000;
const EVENT_TIMEOUT_MS = 20000;
// A user may send 60 parameter updates in any minute: one in this time leaves room for a few others.
const UPDATE_INTERVAL_MS = 1100;

// Connect, and wait until the server lets us in. `getToken` is asked again at every reconnection.
export function connect(url, getToken, options = {}) {
  const socket = io(`${url}/ws`, {
    ...options,
    auth: async callback => callback({ token: await getToken() }),
  });
  // What was emitted while offline would be sent after a reconnection, when it is stale.
  socket.on('disconnect', () => {
    socket.sendBuffer = [];
  });
  return new Promise((resolve, reject) => {
    socket.once('connect_success', ({ userId }) => resolve({ socket, userId }));
    // Where the server did not refuse, but could not be reached, the client tries again by itself.
    socket.on('connect_error', error => {
      if (!socket.active) reject(Object.assign(error, error.data));
    });
  });
}

// Send a command and wait for its ack; a refusal is thrown as an Error with `code` and `details`.
export async function ask(socket, command, data) {
  if (!socket.connected) throw new Error('offline');
  const answer = await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(command, data);
  if (!answer.ok) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer;
}

// The next event of this name that `fits`.
export function next(socket, event, fits = () => true) {
  return new Promise((resolve, reject) => {
    const listener = data => {
      if (fits(data)) finish(resolve, data);
    };
    const timer = setTimeout(
      () => finish(reject, new Error(`${event} did not come`)),
      EVENT_TIMEOUT_MS,
    );
    function finish(settle, value) {
      clearTimeout(timer);
      socket.off(event, listener);
      settle(value);
    }
    socket.on(event, listener);
  });
}

// Change parameters as fast as a slider moves: `set('physics', { gravity: 4 })`. Changes are merged
// and sent together, at most one update in an interval; the last values are always sent.
export function sliders(socket, universeId, { intervalMs = UPDATE_INTERVAL_MS, onError } = {}) {
  let waiting = null; // the changes that are not sent yet, by parameter set
  let sending = null; // the promise of the update under way, and of those that follow it

  // What one did before the connection was lost is stale when it is back.
  socket.on('disconnect', () => {
    waiting = null;
  });

  async function send() {
    while (waiting) {
      const changes = waiting;
      waiting = null;
      const pause = sleep(intervalMs);
      try {
        await ask(socket, 'update_parameters', { universeId, ...changes });
      } catch (error) {
        if (error.code === 'RATE_LIMITED') {
          waiting = merged(changes, waiting ?? {});
          await sleep(error.details.retryAfterMs);
        } else {
          (onError ?? console.error)(error);
        }
      }
      await pause;
    }
    sending = null;
  }

  return {
    // Returns at once: false if the change was dropped, since we are offline.
    set(name, changes) {
      if (!socket.connected) return false;
      waiting = merged(waiting ?? {}, { [name]: changes });
      sending ??= send();
      return true;
    },
    // Wait until all is sent.
    settled: async () => sending,
  };
}

function merged(earlier, later) {
  const result = { ...earlier };
  for (const [name, changes] of Object.entries(later)) {
    result[name] = { ...result[name], ...changes };
  }
  return result;
}

function sleep(ms) {
  return new Promise(resolve => setTimeout(resolve, ms));
}
