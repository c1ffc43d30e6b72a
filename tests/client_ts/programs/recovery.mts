// Connections are cut: what was done meanwhile arrives, and nothing is shown that is not so.
import assert from 'node:assert/strict';
import { call, cut, done, join, next, universeId, viewedId, when, WEBSOCKET } from './plan.mts';

const { client, universe: ann } = await join('ann', 0, WEBSOCKET);
const { universe: ben } = await join('ben', 1, WEBSOCKET);

// What Ann shows of herself, Ben sees, and still sees when she is back.
ann.present({ cursor: 1 });
ann.present({ cursor: 2 });
assert.deepEqual({ ...ann.getSnapshot().presences }, { ann: { cursor: 2 } });
await when(ben, ({ presences }) => presences['ann']?.['cursor'] === 2);
ben.present({ cursor: 3 });
await when(ann, ({ presences }) => presences['ben']?.['cursor'] === 3);

// Cut with an update under way and another waiting: both are stored, once each.
const greeted = next(client, 'connect_success');
const updates: number[] = [];
ben.on('physics_updated', ({ parameters, userId }) => {
  if (userId === 'ann') updates.push(parameters.gravity);
});
const sent = ann.set({ physics: { gravity: 2 } });
const piece = ben.generate({ duration: 2, seed: 7 });
cut(client);
await when(ann, ({ status }) => status === 'away');
const waiting = ann.set({ physics: { gravity: 3 } });
assert.equal(ann.parameters?.physics.gravity, 3);
const bens = ben.set({ music: { tempo: 99 } });
const missed = next(ann, 'music_generated');
const back = next(ann, 'state_recovered');
assert.equal((await greeted).recovered, true);
assert.equal((await back).recovered, true);
await Promise.all([sent, waiting, bens]);
assert.deepEqual((await missed).notes, (await piece).notes);
await when(ann, ({ unsettled, parameters }) => !unsettled && parameters?.music.tempo === 99);
await when(ben, ({ parameters }) => parameters?.physics.gravity === 3);
assert.deepEqual(ann.parameters, ben.parameters);
assert.deepEqual(updates.filter(gravity => gravity === 3), [3]);

assert.deepEqual({ ...ann.getSnapshot().presences }, { ann: { cursor: 2 }, ben: { cursor: 3 } });

// A session that is not recovered: the room is joined again, and its state replaced.
const anew = next(client, 'connect_success');
client.socket.disconnect();
Object.assign(client.socket, { _pid: undefined });
await when(ann, ({ status }) => status === 'away');
await ben.set({ physics: { friction: 0.25 } });
client.connect();
assert.equal((await anew).recovered, false);
await ann.joined();
assert.equal(ann.parameters?.physics.friction, 0.25);
await when(ben, ({ presences }) => presences['ann']?.['cursor'] === 2);
assert.deepEqual(ann.participants.map(({ userId }) => userId).sort(), ['ann', 'ben']);

// What cannot be sent for too long is undone, and says so.
const { client: other, universe: cat } = await join('cat', 0, { ...WEBSOCKET, patienceMs: 50 });
other.socket.disconnect();
await assert.rejects(cat.set({ physics: { gravity: 19 } }), { code: 'UNANSWERED' });
assert.equal(cat.parameters?.physics.gravity, 3);

// A refusal of the moment ends with its connection, and one for good does not.
const kicked = client.universe(viewedId, 'view');
await kicked.joined();
assert.equal((await call('DELETE', `/universes/${viewedId}/participants/ann`, 'owner')).status, 204);
await when(kicked, ({ status }) => status === 'refused');
const passing = { code: 'INTERNAL_ERROR', message: 'for now', details: { retryAfterMs: 9 } };
ann.heard('room_error', { ...passing, error: 'for now', universeId });
assert.equal(ann.status, 'refused');
client.socket.disconnect();
Object.assign(client.socket, { _pid: undefined });
client.connect();
await when(ann, ({ status }) => status === 'joined');
// Commands are answered in order: a join of the other room would be answered by then.
await ann.set({ physics: { gravity: 3 } });
assert.equal(kicked.status, 'refused');
kicked.join('view');
await kicked.joined();

// A room that was left while the connection was broken is left.
const gone = next(ben, 'participant_left', ({ userId }) => userId === 'ann');
const closed = when(ann, ({ status }) => status === 'away');
cut(client);
await closed;
ann.leave();
await gone;
assert.equal(ann.status, 'left');
assert.equal(ben.getSnapshot().presences['ann'], undefined);
done();
