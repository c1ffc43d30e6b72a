import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement, StrictMode, type ReactElement } from 'react';
import { act, create, type ReactTestRenderer } from 'react-test-renderer';
import type { Client } from '../src/client.ts';
import { useClient, useParameter, useUniverse } from '../src/react.ts';
import { Store } from '../src/store.ts';
import type { Universe, UniverseState } from '../src/universe.ts';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

// A universe as hooks see it: a state that changes, and calls that are written down.
function fakes() {
  const calls: unknown[] = [];
  const state = new Store<UniverseState>({
    status: 'left',
    participants: [],
    previews: {},
    presences: {},
    unsettled: false,
  });
  const universe = {
    subscribe: state.subscribe,
    getSnapshot: state.getSnapshot,
    wantedMode: 'edit',
    get status() {
      return state.getSnapshot().status;
    },
    get parameters() {
      return state.getSnapshot().parameters;
    },
    join(mode?: string) {
      calls.push(['join', mode]);
      state.change({ status: 'joined', parameters: { physics: { gravity: 9.81 } } as never });
    },
    leave() {
      calls.push(['leave']);
      state.change({ status: 'left' });
    },
    set: async (changes: unknown) => calls.push(['set', changes]),
    preview: (changes: unknown) => calls.push(['preview', changes]),
  } as unknown as Universe;
  const connection = new Store({ status: 'connected', quality: 'good' } as const);
  const client = {
    ...connection,
    subscribe: connection.subscribe,
    getSnapshot: connection.getSnapshot,
    universe: () => universe,
  } as unknown as Client;
  return { calls, state, client };
}

async function render(element: ReactElement): Promise<ReactTestRenderer> {
  let rendered: ReactTestRenderer | undefined;
  await act(async () => {
    rendered = create(createElement(StrictMode, null, element));
  });
  assert.ok(rendered);
  return rendered;
}

test('a component shows the state as it changes, and leaves when it is gone', async () => {
  const { calls, state, client } = fakes();
  let change: (value: number) => void = () => undefined;
  let preview: (value: number) => void = () => undefined;
  function Slider() {
    const { universe, status } = useUniverse(client, 'u');
    const [gravity, ...ways] = useParameter(universe, 'physics', 'gravity');
    [change, preview] = ways;
    return `${useClient(client).quality} ${status} ${gravity}`;
  }
  const page = await render(createElement(Slider));
  assert.equal(page.toJSON(), 'good joined 9.81');
  await act(async () => state.change({ parameters: { physics: { gravity: 3 } } as never }));
  assert.equal(page.toJSON(), 'good joined 3');
  preview(4);
  change(5);
  await act(async () => page.unmount());
  assert.deepEqual(calls, [
    ['join', undefined],
    ['preview', { physics: { gravity: 4 } }],
    ['set', { physics: { gravity: 5 } }],
    ['leave'],
  ]);
});

test('the room is left by the last of several components', async () => {
  const { calls, client } = fakes();
  const One = () => useUniverse(client, 'u').status;
  const both = (second: boolean) =>
    createElement(StrictMode, null, createElement(One), second && createElement(One));
  const page = await render(both(true));
  await act(async () => page.update(both(false)));
  assert.deepEqual(calls, [['join', undefined]]);
  await act(async () => page.unmount());
  assert.deepEqual(calls, [['join', undefined], ['leave']]);
});
