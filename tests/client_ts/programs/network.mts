// A network in front of a gateway that takes its time, and breaks.
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

export interface Network {
  url: string;
  /** Break all connections, without a word. */
  cut(): void;
  /** Break all connections, and take none for a time. */
  outage(ms: number): Promise<void>;
  /** Hold back what goes to clients from now on. */
  hold(): void;
  /** Return once this is held back. */
  holds(text: string): Promise<void>;
  /** Send what is held back in one piece: what is before a text, or all. */
  release(before?: string): void;
  /** Take no more connections, and wait until those that are there have ended. */
  close(): Promise<void>;
}

/** Every message takes `latencyMs` each way, and up to `jitterMs` more; none overtakes another. */
export async function network(url: string, latencyMs: number, jitterMs = 0): Promise<Network> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  // Of the one client that is there.
  let held: { to?: Socket; bytes: Buffer } | undefined;
  let onHeld = () => {};
  let isAway = false;
  const server = createServer(client => {
    if (isAway) return void client.destroy();
    const gateway = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      let readyAtMs = 0;
      const waiting: (() => void)[] = [];
      sockets.add(from);
      const later = (action: () => void) => {
        const atMs = performance.now() + latencyMs + Math.random() * jitterMs;
        readyAtMs = Math.max(readyAtMs, atMs);
        waiting.push(action);
        // Timers that end in the same millisecond may fire in any order.
        setTimeout(() => waiting.shift()?.(), readyAtMs - performance.now());
      };
      from.setNoDelay(true);
      from.on('data', (bytes: Buffer) =>
        later(() => {
          if (held && from === gateway) {
            held = { to, bytes: Buffer.concat([held.bytes, bytes]) };
            onHeld();
          } else to.write(bytes);
        }),
      );
      from.on('end', () => later(() => to.end()));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        later(() => to.destroy());
      });
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    outage: async ms => {
      isAway = true;
      cut();
      await new Promise(resolve => setTimeout(resolve, ms));
      isAway = false;
    },
    hold: () => {
      held = { bytes: Buffer.alloc(0) };
    },
    holds: text =>
      new Promise(resolve => {
        onHeld = () => held?.bytes.includes(text) && resolve();
        onHeld();
      }),
    release: before => {
      const { to, bytes } = held ?? {};
      if (!to || !bytes) throw new Error('nothing is held back');
      const length = before ? bytes.indexOf(before) : bytes.length;
      held = before ? { to, bytes: bytes.subarray(length) } : undefined;
      to.write(bytes.subarray(0, length));
    },
    close: () => new Promise(resolve => server.close(() => resolve())),
  };
}
