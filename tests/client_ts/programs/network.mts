// A network in front of a gateway that takes its time, and breaks.
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

export interface Network {
  url: string;
  /** Break all connections, without a word. */
  cut(): void;
  /** Take no more connections, and wait until those that are there have ended. */
  close(): Promise<void>;
}

/** Every message takes `latencyMs` each way, and up to `jitterMs` more; none overtakes another. */
export async function network(url: string, latencyMs: number, jitterMs = 0): Promise<Network> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer(client => {
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
      from.on('data', bytes => later(() => to.write(bytes)));
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
    close: () => new Promise(resolve => server.close(() => resolve())),
  };
}
