import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection } from '../src/connection.ts';
import { RefusedError } from '../src/errors.ts';
import { generate } from '../src/generation.ts';
import { Listeners } from '../src/listeners.ts';
import { Store } from '../src/store.ts';

// A connection on which a piece fails in the very turn in which it was accepted.
function scripted(listeners: Listeners): Connection {
  const refusal = (opId: string, errorId: string) =>
    ({ code: 'INTERNAL_ERROR', message: errorId, details: { opId, errorId } }) as const;
  const ask: Connection['ask'] = async (_command, { opId }, ready, isFinal) => {
    await ready();
    for (const errorId of ['busy-1', 'busy-2']) {
      const busy = refusal(opId, errorId);
      if (errorId === 'busy-1') assert.equal(isFinal?.(busy), false);
      listeners.tell('error', busy);
      if (errorId === 'busy-2') assert.equal(isFinal?.(busy), false);
    }
    listeners.tell('error', refusal('another', 'another'));
    listeners.tell('error', refusal(opId, 'late'));
    return { ok: true, seq: 7 } as never;
  };
  return { state: new Store({ userId: 'ann' }), ask } as unknown as Connection;
}

test('a piece that fails in the turn of its ack is rejected at once', { timeout: 5000 }, async () => {
  const listeners = new Listeners();
  const audience = { id: 'u', joined: async () => {}, on: listeners.add.bind(listeners) };
  await assert.rejects(generate(scripted(listeners), audience, { duration: 1 }), (error: unknown) => {
    assert.ok(error instanceof RefusedError);
    assert.equal(error.message, 'late');
    return true;
  });
});
