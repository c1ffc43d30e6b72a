// The connection to the server: tokens, acks, retries, the clock. Decides nothing about rooms.
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type {
  AnswerOf,
  ClientToServerEvents,
  CommandName,
  ConnectError,
  ConnectSuccess,
  Limits,
  PayloadOf,
  Refused,
  Rejected,
  ServerToClientEvents,
  Timestamp,
  UserId,
} from '../../contract/protocol.ts';
import { best, nextIntervalMs, quality, remember, sample, type Quality, type Reading, type Samples } from './clock.ts';
import { RefusedError, UnansweredError } from './errors.ts';
import { afterRefusal, pauseMs } from './retry.ts';
import { sleep, Store } from './store.ts';
import { heldBack, paceOf, turn, type Pace } from './throttle.ts';

export type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** How to connect. */
export interface ClientOptions {
  /** The server's address, such as `https://example.org`. */
  url: string;
  /** Gives a token; asked at each connect, and before a token expires. */
  getToken: () => string | Promise<string>;
  /** How long a command may wait for the connection before it is given up. Default 10,000 ms. */
  patienceMs?: number;
  /** Further options of the official client. */
  socketOptions?: Partial<ManagerOptions & SocketOptions>;
}

/** The state of the connection. */
export interface ClientState {
  /** `refused` and `closed` last until `connect()`; otherwise the client connects by itself. */
  readonly status: 'connecting' | 'connected' | 'refused' | 'closed';
  readonly quality: Quality;
  readonly userId?: UserId;
  readonly limits?: Limits;
  /** When the token expires. */
  readonly expiresAt?: Timestamp;
  /** Why the connection was refused, or `getToken` failed. */
  readonly error?: Error;
}

/** The server's clock. */
export interface Clock {
  /** The server's clock less this machine's, in milliseconds; 0 until the first answer. */
  readonly offsetMs: number;
  /** The shortest recent round trip, in milliseconds. */
  readonly rttMs: number | undefined;
  /** The server's time, in milliseconds since 1970. */
  now(): number;
  /** The milliseconds until a time of the server's; negative if it is over. */
  until(timestamp: Timestamp): number;
}

/** A command's ack when it was carried out. */
export type AcceptedOf<C extends CommandName> = Exclude<AnswerOf<C>, Rejected>;

const MINUTE_MS = 60_000;
const DEFAULT_SIGNALS_PER_S = 30;
const ANSWER_TIMEOUT_MS = 5000;
const MAX_UNANSWERED = 4;
const MAX_RENEWALS = 3;
const RECONNECT_DELAY_MAX_MS = 5000;
const SERVER_DISCONNECT_PAUSE_MS = 1000;
const ID_BYTES = 16;

// Unlike Date.now, it is not set back and forth while the page lives.
const nowMs = (): number => performance.timeOrigin + performance.now();

// Unlike `crypto.randomUUID`, it is there on pages without TLS, too.
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(ID_BYTES)), byte => byte.toString(16).padStart(2, '0')).join('');

export class Connection {
  readonly state = new Store<ClientState>({ status: 'closed', quality: 'offline' });
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly socket: ClientSocket;
  readonly #getToken: ClientOptions['getToken'];
  #updates: Pace = paceOf(60, MINUTE_MS);
  readonly #signals = new Map<CommandName, Pace>();
  #samples: Samples = [];
  // Kept while the client reconnects, until the first answer of the new connection.
  #reading: Reading | undefined;
  #failures = 0;
  #connects = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ url, getToken, patienceMs = 10_000, socketOptions }: ClientOptions) {
    this.#getToken = getToken;
    this.patienceMs = patienceMs;
    this.clock = this.#serverClock();
    this.socket = io(`${url.replace(/\/$/, '')}/ws`, {
      reconnectionDelayMax: RECONNECT_DELAY_MAX_MS,
      ...socketOptions,
      forceNew: true,
      autoConnect: false,
      auth: send => void this.#authenticate(send),
    });
    this.socket.on('connect_success', told => this.#connected(told));
    this.socket.on('connect_error', error => this.#notConnected(error));
    this.socket.on('disconnect', reason => this.#disconnected(reason));
    this.socket.on('token_expiring', () => void this.renew());
    this.socket.on('token_refreshed', ({ expiresAt }) => this.state.change({ expiresAt }));
  }

  connect(): void {
    this.#failures = 0;
    this.state.change({ status: 'connecting' });
    this.socket.connect();
  }

  close(): void {
    this.state.change({ status: 'closed', quality: 'offline' });
    this.socket.disconnect();
    this.#stop();
  }

  /** Wait for this connection's turn to update parameters, so as to stay within the limit. */
  async updateTurn(): Promise<void> {
    const { delayMs, pace } = turn(this.#updates, nowMs());
    this.#updates = pace;
    if (delayMs > 0) await sleep(delayMs);
  }

  /** Wait for the turn to send a live signal of this kind. */
  async signalTurn(command: CommandName): Promise<void> {
    const perSecond = this.state.getSnapshot().limits?.signalsPerSecond ?? DEFAULT_SIGNALS_PER_S;
    const { delayMs, pace } = turn(paceOf(perSecond, 1000, this.#signals.get(command)), nowMs());
    this.#signals.set(command, pace);
    if (delayMs > 0) await sleep(delayMs);
  }

  /** The server asked to update parameters later. */
  holdBack(retryAfterMs: number): void {
    this.#updates = heldBack(this.#updates, nowMs(), retryAfterMs);
  }

  /** Send a command once: its ack, or `undefined` if none came. */
  async emit<C extends CommandName>(
    command: C,
    payload: PayloadOf<C>,
  ): Promise<(AnswerOf<C> & object) | undefined> {
    const socket = this.socket as unknown as Socket;
    // What is emitted while offline would be sent after a reconnection, when it is stale.
    if (!socket.connected) return undefined;
    try {
      return await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(command, payload);
    } catch {
      return undefined;
    }
  }

  /** Send what is not acknowledged, if there is a connection. */
  signal<C extends CommandName>(command: C, payload: PayloadOf<C>): void {
    const socket = this.socket as unknown as Socket;
    // Not `volatile`: that loses what comes in the same turn as another packet, too.
    if (socket.connected) socket.emit(command, payload);
  }

  /**
   * Send a command that has an `opId`, again until it is answered: the server carries it out once.
   *
   * It is sent each time after `ready` has resolved. It throws a refusal that asks to wait for longer
   * than `patienceMs`, that `isFinal` names, or that another try would not change.
   */
  async ask<C extends CommandName>(
    command: C,
    payload: PayloadOf<C> & { opId: string },
    ready: () => Promise<void>,
    isFinal: (refusal: Refused) => boolean = () => false,
  ): Promise<AcceptedOf<C>> {
    for (let attempt = 1; ; attempt += 1) {
      await ready();
      const answer = await this.emit(command, payload);
      if (answer && !isRejected(answer)) return answer as AcceptedOf<C>;
      if (answer && isFinal(answer.error)) throw new RefusedError(answer.error);
      if (answer) await this.afterRefusal(answer.error, attempt, this.patienceMs);
      else if (attempt >= MAX_UNANSWERED) throw new UnansweredError(`${command} is not answered`);
    }
  }

  /** Wait until the command is worth another try; throw the refusal if it is not. */
  async afterRefusal(error: Refused, attempt: number, maxPauseMs: number): Promise<void> {
    const verdict = afterRefusal(error, attempt, maxPauseMs);
    switch (verdict.what) {
      case 'again':
        return sleep(verdict.ms);
      case 'renew':
        return this.renew();
      case 'give up':
        throw new RefusedError(error);
    }
  }

  /** Give the server a newer token. Without one, it closes the connection a while after the end. */
  async renew(): Promise<void> {
    try {
      const answer = await this.emit('refresh_token', { token: await this.#getToken() });
      if (answer && !answer.ok) this.state.change({ error: new RefusedError(answer.error) });
    } catch (error) {
      this.state.change({ error: asError(error) });
    }
  }

  async #authenticate(send: (auth: object) => void): Promise<void> {
    const connect = ++this.#connects;
    try {
      const token = await this.#getToken();
      if (connect === this.#connects) send({ token });
    } catch (error) {
      if (connect !== this.#connects || this.state.getSnapshot().status === 'closed') return;
      this.state.change({ error: asError(error) });
      this.socket.disconnect();
      this.#reconnect();
    }
  }

  #reconnect(atLeastMs = 0): void {
    clearTimeout(this.#timer);
    this.#failures += 1;
    const delayMs = Math.max(atLeastMs, Math.min(pauseMs(this.#failures), RECONNECT_DELAY_MAX_MS));
    this.#timer = setTimeout(() => this.socket.connect(), delayMs);
  }

  #connected({ userId, limits, expiresAt }: ConnectSuccess): void {
    this.#failures = 0;
    this.#updates = paceOf(limits.parametersPerMinute, MINUTE_MS, this.#updates);
    this.#samples = [];
    const { error: _, ...rest } = this.state.getSnapshot();
    this.state.replace({ ...rest, status: 'connected', quality: 'good', userId, limits, expiresAt });
    void this.#synchronize(this.#connects);
  }

  #notConnected(error: Error): void {
    // Where the server did not refuse, but could not be reached, the client tries again by itself.
    if (this.socket.active) return;
    const { data, message } = error as ConnectError;
    const refusal = data ? new RefusedError({ message, ...data }) : error;
    this.state.change({ error: refusal });
    const expired = refusal instanceof RefusedError && refusal.reason === 'EXPIRED';
    if (expired && this.#failures < MAX_RENEWALS) this.#reconnect();
    else this.state.change({ status: 'refused' });
  }

  #disconnected(reason: Socket.DisconnectReason): void {
    this.#stop();
    if (this.state.getSnapshot().status === 'closed') return;
    this.state.change({ status: 'connecting', quality: 'offline' });
    // After that, the official client does not try again by itself.
    if (reason === 'io server disconnect') this.#reconnect(SERVER_DISCONNECT_PAUSE_MS);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#connects += 1;
  }

  #serverClock(): Clock {
    const sampled = () => this.#reading;
    const now = () => nowMs() + (sampled()?.offsetMs ?? 0);
    return {
      get offsetMs() {
        return sampled()?.offsetMs ?? 0;
      },
      get rttMs() {
        return sampled()?.rttMs;
      },
      now,
      until: timestamp => Date.parse(timestamp) - now(),
    };
  }

  // While this connection lasts: without waiting for answers, so that the clock is right early.
  async #synchronize(connect: number): Promise<void> {
    for (let intervalMs = 0; connect === this.#connects; ) {
      void this.#sample(connect);
      intervalMs = nextIntervalMs(intervalMs);
      await new Promise<void>(resolve => {
        this.#timer = setTimeout(resolve, intervalMs);
      });
    }
  }

  async #sample(connect: number): Promise<void> {
    const t0 = nowMs();
    const answer = await this.emit('time_sync', { t0 });
    if (connect !== this.#connects) return;
    const one = answer && 't1' in answer ? sample(t0, answer.t1, answer.t2, nowMs()) : undefined;
    this.#samples = remember(this.#samples, one);
    this.#reading = best(this.#samples) ?? this.#reading;
    const now = quality(this.#samples);
    if (now !== this.state.getSnapshot().quality) this.state.change({ quality: now });
  }
}

function isRejected(answer: object): answer is Rejected {
  return 'ok' in answer && answer.ok === false;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
