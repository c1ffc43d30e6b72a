// A whole Harmonic Universe for tests, on ports of its own, which misbehaves when it is told to.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What to start. */
export interface InstanceOptions {
  /** The Python that has `harmonic-test-kit` installed. Default: `python3`. */
  python?: string;
  /** How many gateways. Default: 1. */
  gateways?: number;
  /** `HARMONIC_…` variables of the services. */
  settings?: Record<string, string>;
}

/** A process of the instance, such as `state-1`, `music-1`, `gateway-1`, or `nats`, the broker. */
export type ProcessName = `${'state' | 'music' | 'gateway'}-${number}` | 'nats';

/** How a command is to be refused. */
export interface Refusal {
  code: string;
  reason?: string;
  message?: string;
  retryAfterMs?: number;
  /** How many of these commands. Default: 1. */
  times?: number;
}

interface Hello {
  urls: [string, ...string[]];
  jwtSecret: string;
}

type Answer = { id: number; result?: unknown; error?: string };
type Waiter = { resolve: (result: unknown) => void; reject: (error: Error) => void };

/** A running instance. */
export class HarmonicInstance implements AsyncDisposable {
  /** Where clients connect: one address a gateway, behind a network that can be disturbed. */
  readonly urls: readonly [string, ...string[]];
  /** What tokens are signed with, by HS256. */
  readonly jwtSecret: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiter>();
  #id = 0;

  /** Made by `startInstance()`. @internal */
  constructor(process: ChildProcessWithoutNullStreams, hello: Hello) {
    this.#process = process;
    this.urls = hello.urls;
    this.jwtSecret = hello.jwtSecret;
    process.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the instance has ended'));
    });
  }

  get url(): string {
    return this.urls[0];
  }

  /** A token of a user, good for `lifetimeS` (default: an hour); below 0, it has expired. */
  async token(user: string, { name, lifetimeS = 3600 }: { name?: string; lifetimeS?: number } = {}): Promise<string> {
    return (await this.#do('token', { user, name, lifetime_s: lifetimeS })) as string;
  }

  /** The id of a new universe that anybody may edit, unless the settings of `POST /universes` say otherwise. */
  async universe(settings: { owner?: string; [setting: string]: unknown } = {}): Promise<string> {
    return (await this.#do('universe', settings)) as string;
  }

  /** Break all connections, without a goodbye; clients may connect again at once. */
  async cut(): Promise<void> {
    await this.#do('cut');
  }

  /** From now on, messages take `latencyMs` each way, and up to `jitterMs` more. */
  async delay(latencyMs = 0, jitterMs = 0): Promise<void> {
    await this.#do('delay', { latency_ms: latencyMs, jitter_ms: jitterMs });
  }

  /** Let nothing through until `unblock()`, without a word to either side. */
  async block(): Promise<void> {
    await this.#do('block');
  }

  /** Let through what waited, and what follows. */
  async unblock(): Promise<void> {
    await this.#do('unblock');
  }

  /** Refuse the next commands of this name, or connections if it is `connect`. */
  async refuse(command: string, { retryAfterMs, ...refusal }: Refusal): Promise<void> {
    await this.#do('refuse', { command, retry_after_ms: retryAfterMs, ...refusal });
  }

  /** End a process as a crash does. */
  async kill(process: ProcessName): Promise<void> {
    await this.#do('kill', { process });
  }

  /** Start a killed process again, and wait until it is ready. */
  async start(process: ProcessName): Promise<void> {
    await this.#do('start', { process });
  }

  /** Undo all misbehaviour: a quick network, no scripted refusals, all processes there. */
  async restore(): Promise<void> {
    await this.#do('restore');
  }

  /** End the instance, and wait until it has ended. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.stdin.end();
    await once(this.#process, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** An answer of the process. @internal */
  answered({ id, result, error }: Answer): void {
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiter?.resolve(result);
    else waiter?.reject(new Error(error));
  }

  #do(what: string, given: Record<string, unknown> = {}): Promise<unknown> {
    const id = ++this.#id;
    const promise = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.stdin.write(`${JSON.stringify({ id, do: what, with: given })}\n`);
    return promise;
  }
}

// What is told of an instance that does not start: the end of what it wrote.
const MAX_SAID_CHARACTERS = 10_000;

/** Start an instance with nothing in it; rejects if it does not start. */
export async function startInstance(options: InstanceOptions = {}): Promise<HarmonicInstance> {
  const { python = 'python3', gateways = 1, settings = {} } = options;
  const given = Object.entries(settings).map(([name, value]) => `--setting=${name}=${value}`);
  const process = spawn(python, ['-m', 'harmonic_test_kit', `--gateways=${gateways}`, ...given]);
  let said = '';
  process.stderr.on('data', bytes => (said = `${said}${bytes}`.slice(-MAX_SAID_CHARACTERS)));
  const lines = createInterface(process.stdout);
  const ended = once(process, 'exit').then(() => {
    throw new Error(`the instance did not start: ${said}`);
  });
  const [hello] = await Promise.race([once(lines, 'line'), ended]);
  ended.catch(() => undefined);
  const instance = new HarmonicInstance(process, JSON.parse(hello));
  lines.on('line', line => instance.answered(JSON.parse(line)));
  return instance;
}
