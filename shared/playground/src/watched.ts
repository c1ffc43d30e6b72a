// What components show of states that change: each is drawn again when its own part changes.
import { useLayoutEffect, useReducer, useRef } from 'preact/hooks';

/** A state, as the client's library has them. */
export interface Watched<T> {
  getSnapshot(): T;
  subscribe(listener: () => void): () => void;
}

/** A small state of the page's own. */
export class Cell<T> implements Watched<T> {
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

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The selected part of a state, now and whenever it changes. */
export function useWatched<T, S>(watched: Watched<T>, select: (state: T) => S): S {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const selected = select(watched.getSnapshot());
  const shown = useRef({ selected, select });
  shown.current = { selected, select };
  useLayoutEffect(() => {
    const look = () => {
      const now = shown.current.select(watched.getSnapshot());
      if (!isSame(now, shown.current.selected)) draw(undefined);
    };
    look();
    return watched.subscribe(look);
  }, [watched]);
  return selected;
}

/** Whether two values are the same, or lists of the same. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  return one.every((value, index) => Object.is(value, other[index]));
}
