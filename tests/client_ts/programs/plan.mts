// What all programs share: where the product is, clients of it, and waiting.
import {
  createClient,
  type Client,
  type ClientOptions,
  type EventName,
  type EventOf,
  type Universe,
} from '../../../shared/client-ts/src/index.ts';

interface Plan {
  gateways: [string, string];
  universe: string;
  viewed: string;
  /** Tokens by user. */
  tokens: Record<string, string>;
}

const DEADLINE_MS = Number(process.env['DEADLINE_MS'] ?? 60_000);
const plan: Plan = JSON.parse(process.argv[2] ?? '');
const clients: Client[] = [];

setTimeout(() => {
  console.error('Something that was waited for did not happen.');
  for (const client of clients) {
    const { error } = client.getSnapshot();
    console.error(performance.now(), client.status, error, client.universe(universeId).getSnapshot());
  }
  process.exit(1);
}, DEADLINE_MS).unref();

export const universeId: string = plan.universe;
/** One that others than its owner may only view. */
export const viewedId: string = plan.viewed;
export const { gateways } = plan;

export function token(user: string): string {
  const known = plan.tokens[user];
  if (!known) throw new Error(`there is no token of ${user}`);
  return known;
}

/** A call of the HTTP API. */
export function call(method: string, path: string, user: string): Promise<Response> {
  const headers = { Authorization: `Bearer ${token(user)}` };
  return fetch(`${plan.gateways[0]}/api/v1${path}`, { method, headers });
}

/** A client of a user, by the official client's default transports or those of `options`. */
export function connect(user: string, gateway: 0 | 1, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({ url: plan.gateways[gateway], getToken: () => token(user), ...options });
  clients.push(client);
  return client;
}

/** A client that has joined the universe. */
export async function join(user: string, gateway: 0 | 1, options: Partial<ClientOptions> = {}) {
  const client = connect(user, gateway, options);
  const universe = client.universe(universeId);
  await universe.joined(DEADLINE_MS);
  return { client, universe };
}

/** Wait until a state fits. */
export function when<T>(
  watched: { getSnapshot(): T; subscribe(listener: () => void): () => void },
  fits: (state: T) => boolean,
): Promise<T> {
  return new Promise(resolve => {
    const look = () => {
      if (!fits(watched.getSnapshot())) return;
      stop();
      resolve(watched.getSnapshot());
    };
    const stop = watched.subscribe(look);
    look();
  });
}

/** The next event of this name that fits. */
export function next<E extends EventName>(
  source: Client | Universe,
  event: E,
  fits: (payload: EventOf<E>) => boolean = () => true,
): Promise<EventOf<E>> {
  return new Promise(resolve => {
    const stop = source.on(event, payload => {
      if (!fits(payload)) return;
      stop();
      resolve(payload);
    });
  });
}

/** Break the connection without a goodbye, as a network does. */
export function cut({ socket }: Client): void {
  const { transport } = socket.io.engine as unknown as { transport: { ws: { terminate(): void } } };
  transport.ws.terminate();
}

/** Only WebSockets can be cut. */
export const WEBSOCKET = { socketOptions: { transports: ['websocket'], reconnectionDelay: 50 } };

export function done(): void {
  for (const client of clients) client.close();
}
