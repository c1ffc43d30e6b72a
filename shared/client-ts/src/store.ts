// An immutable value that others watch, in the shape that React's useSyncExternalStore takes.

/** Read a state, and hear of each new one. */
export interface Watchable<T> {
  /** The state now: the same object until something changes. */
  getSnapshot(): T;
  /** Hear of every change, until the function that is returned is called. */
  subscribe(listener: () => void): () => void;
}

export class Store<T extends object> implements Watchable<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  readonly getSnapshot = (): T => this.#value;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  change(part: Partial<T>): void {
    this.replace({ ...this.#value, ...part });
  }

  replace(value: T): void {
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Wait until `holds` is true, at most for `timeoutMs`; rejects with what `otherwise` makes. */
export function until<T>(
  store: Watchable<T>,
  holds: (state: T) => boolean,
  timeoutMs: number,
  otherwise: () => Error,
): Promise<void> {
  if (holds(store.getSnapshot())) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(otherwise());
    }, timeoutMs);
    const stop = store.subscribe(() => {
      if (!holds(store.getSnapshot())) return;
      clearTimeout(timer);
      stop();
      resolve();
    });
  });
}

export const sleep = (ms: number): Promise<void> =>
  new Promise(resolve => setTimeout(resolve, ms));
