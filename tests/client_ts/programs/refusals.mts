// What the server refuses is undone, and says why.
import assert from 'node:assert/strict';
import { call, connect, done, join, next, universeId, when } from './plan.mts';
import { RefusedError } from '../../../shared/client-ts/src/index.ts';

const { client, universe: ann } = await join('ann', 0);
const before = ann.parameters;

// A value that is too large, beside a good one that is sent later.
const refused = ann.set({ physics: { gravity: 99 } });
assert.equal(ann.parameters?.physics.gravity, 99);
await assert.rejects(refused, (error: unknown) => {
  assert.ok(error instanceof RefusedError);
  assert.equal(error.code, 'INVALID_PARAMETERS');
  assert.deepEqual(error.fields?.map(({ field, max }) => [field, max]), [['physics.gravity', 20]]);
  return true;
});
assert.deepEqual(ann.parameters, before);
assert.equal(ann.getSnapshot().unsettled, false);
await ann.set({ physics: { gravity: 4 } });
assert.equal(ann.getSnapshot().error, undefined);

// Whoever only views changes nothing.
const viewer = connect('ben', 1).universe(universeId, 'view');
await viewer.joined();
assert.equal(viewer.getSnapshot().mode, 'view');
await assert.rejects(viewer.set({ physics: { gravity: 1 } }), { reason: 'VIEW_ONLY' });
assert.equal(viewer.parameters?.physics.gravity, 4);
viewer.join('edit');
await when(viewer, ({ mode }) => mode === 'edit');
await viewer.set({ physics: { gravity: 5 } });

// A universe that is not there.
const nowhere = client.universe('nowhere');
await assert.rejects(nowhere.joined(), { code: 'NOT_FOUND' });
assert.equal(nowhere.status, 'refused');

// Two pieces at once: the second is refused as long as the first is made, and then made, too.
const heard: string[] = [];
ann.on('music_generated', ({ requestId }) => heard.push(requestId));
const pieces = await Promise.all([ann.generate({ duration: 1 }), ann.generate({ duration: 2 })]);
assert.deepEqual(pieces.map(({ duration }) => duration), [1, 2]);
assert.deepEqual(pieces.map(({ requestId }) => requestId), heard);
await assert.rejects(ann.generate({ duration: 0 }), { code: 'INVALID_PARAMETERS' });

// Who is in the room of a universe that is deleted hears it.
const removed = next(ann, 'room_error');
assert.equal((await call('DELETE', `/universes/${universeId}`, 'owner')).status, 204);
await removed;
const { status, error, parameters } = ann.getSnapshot();
assert.equal(status, 'refused');
assert.ok(error instanceof RefusedError);
assert.equal(error.code, 'NOT_FOUND');
assert.equal(parameters, undefined);
done();
