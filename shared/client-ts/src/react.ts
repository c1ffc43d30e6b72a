// Hooks for React.
import { useCallback, useEffect, useSyncExternalStore } from 'react';
import type { Mode, Parameters, UniverseId } from '../../contract/protocol.ts';
import type { Client } from './client.ts';
import type { ClientState } from './connection.ts';
import type { Changes, SetName } from './merge.ts';
import type { Watchable } from './store.ts';
import type { Universe, UniverseState } from './universe.ts';

const users = new WeakMap<Universe, number>();

function useSnapshot<T>({ subscribe, getSnapshot }: Watchable<T>): T {
  return useSyncExternalStore(subscribe, getSnapshot, getSnapshot);
}

/** The connection's state: status, quality, user, limits. */
export function useClient(client: Client): ClientState {
  return useSnapshot(client);
}

/** A universe and its state. Its room is left when no component uses it any more. */
export function useUniverse(client: Client, id: UniverseId, mode?: Mode): UniverseState & { universe: Universe } {
  const universe = client.universe(id, mode);
  useEffect(() => {
    users.set(universe, (users.get(universe) ?? 0) + 1);
    const changed = mode !== undefined && mode !== universe.wantedMode;
    if (universe.status === 'left' || changed) universe.join(mode);
    return () => {
      users.set(universe, (users.get(universe) ?? 1) - 1);
      // Another component may begin to use it in the same turn; under StrictMode, the same one does.
      queueMicrotask(() => {
        if (!users.get(universe)) universe.leave();
      });
    };
  }, [universe, mode]);
  return { universe, ...useSnapshot(universe) };
}

/** One parameter: its value, which is `undefined` before the room is joined, and how to set it. */
export function useParameter<S extends SetName, F extends keyof Parameters[S]>(
  universe: Universe,
  set: S,
  field: F,
): [Parameters[S][F] | undefined, (value: Parameters[S][F]) => void, (value: Parameters[S][F]) => void] {
  const value = useSyncExternalStore(
    universe.subscribe,
    () => universe.parameters?.[set][field],
    () => universe.parameters?.[set][field],
  );
  const changes = useCallback(
    (next: Parameters[S][F]) => ({ [set]: { [field]: next } }) as unknown as Changes,
    [set, field],
  );
  const change = useCallback((next: Parameters[S][F]) => void universe.set(changes(next)), [universe, changes]);
  const preview = useCallback((next: Parameters[S][F]) => universe.preview(changes(next)), [universe, changes]);
  return [value, change, preview];
}
