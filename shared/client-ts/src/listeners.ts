// The listeners of events.
import type { EventOf, ServerToClientEvents } from '../../contract/protocol.ts';

export type EventName = keyof ServerToClientEvents;
type Listener = (payload: never) => void;

export class Listeners {
  readonly #byEvent = new Map<EventName, Set<Listener>>();

  add<E extends EventName>(event: E, listener: (payload: EventOf<E>) => void): () => void {
    const listeners = this.#byEvent.get(event) ?? new Set();
    this.#byEvent.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  tell(event: EventName, payload: unknown): void {
    for (const listener of [...(this.#byEvent.get(event) ?? [])]) listener(payload as never);
  }
}
