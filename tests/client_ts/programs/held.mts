// What is read at once, or apart, is heard all the same: a kick after a join, a refused mode's event.
import assert from 'node:assert/strict';
import { network } from './network.mts';
import { call, connect, done, gateways, next, universeId, viewedId, when, WEBSOCKET } from './plan.mts';
import { RefusedError } from '../../../shared/client-ts/src/index.ts';

const between = await network(gateways[0], 0);
const client = connect('ann', 0, { ...WEBSOCKET, url: between.url });

// The join, its ack and the kick come in one piece.
const ann = client.universe(universeId, 'view');
await ann.joined();
for (const isIn of [true, false]) {
  if (!isIn) {
    const left = next(client, 'room_left');
    ann.leave();
    await left;
  }
  between.hold();
  ann.join('edit');
  await between.holds('room_joined');
  assert.equal((await call('DELETE', `/universes/${universeId}/participants/ann`, 'owner')).status, 204);
  await between.holds('room_error');
  between.release();
  const { error } = await when(ann, ({ status }) => status === 'refused');
  assert.ok(error instanceof RefusedError);
  assert.equal(error.reason, 'KICKED');
  // A kick is no ban.
  ann.join('view');
  await ann.joined();
}

// Another mode is refused, and the event that says so comes later than the ack.
const viewed = client.universe(viewedId, 'view');
await viewed.joined();
between.hold();
viewed.join('edit');
await between.holds('room_error');
between.release('room_error');
await when(viewed, ({ error }) => error instanceof RefusedError);
const late = next(viewed, 'room_error');
between.release();
await late;
assert.equal(viewed.status, 'joined');
assert.equal(viewed.getSnapshot().mode, 'view');
done();
await between.close();
