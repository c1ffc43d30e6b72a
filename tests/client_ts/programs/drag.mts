// Two people drag sliders: each sees its own values at once, and all end on what is stored.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { done, join, next, universeId, when } from './plan.mts';

const { universe: ann } = await join('ann', 0);
const { client, universe: ben } = await join('ben', 1);
const DRAGS = 200;
const updates: number[] = [];
ben.on('physics_updated', ({ parameters }) => updates.push(parameters.gravity));

// Ann shows what she drags before she lets go: Ben sees it while nothing is stored.
const stored = ben.parameters?.physics.gravity;
ann.preview({ physics: { gravity: 1.5 } });
assert.equal(ann.parameters?.physics.gravity, 1.5);
const seen = await when(ben, ({ previews }) => previews['ann']?.physics?.gravity === 1.5);
assert.equal(seen.parameters?.physics.gravity, stored);

// Both change the same set at once, and different fields of it.
const promises = [];
for (let number = 1; number <= DRAGS; number += 1) {
  promises.push(ann.set({ physics: { gravity: number / 20 } }));
  assert.equal(ann.parameters?.physics.gravity, number / 20);
  if (number % 20 === 0) promises.push(ben.set({ physics: { friction: number / DRAGS } }));
  if (number % 20 === 0) await sleep(1);
}
await Promise.all(promises);
for (const one of [ann, ben]) {
  const { parameters } = await when(
    one,
    ({ unsettled, parameters: now }) =>
      !unsettled && now?.physics.gravity === DRAGS / 20 && now.physics.friction === 1,
  );
  assert.equal(parameters?.physics.gravity, DRAGS / 20);
}
assert.deepEqual(ann.parameters, ben.parameters);
assert.equal(updates.at(-1), DRAGS / 20);
assert.ok(updates.length < DRAGS, `${updates.length} updates were sent`);
await when(ben, ({ previews }) => !previews['ann']);

// Both want the same field: there is one order, and so one value.
const both = [ann.set({ music: { tempo: 80 } }), ben.set({ music: { tempo: 160 } })];
const last = Math.max(...(await Promise.all(both)).map(({ seq }) => seq));
const tempo = async (one: typeof ann) => {
  await when(one, ({ unsettled }) => !unsettled);
  return one.parameters?.music.tempo;
};
const winner = (await both[0])?.seq === last ? 80 : 160;
await when(ann, ({ parameters }) => parameters?.music.tempo === winner);
await when(ben, ({ parameters }) => parameters?.music.tempo === winner);
assert.equal(await tempo(ann), await tempo(ben));

// A preview whose end is lost is over by itself.
client.socket.emit('preview_parameters', { universeId, physics: { gravity: 6 } });
await when(ann, ({ previews }) => previews['ben'] !== undefined);
await when(ann, ({ previews }) => previews['ben'] === undefined);

// Who drops out while dragging leaves no preview behind.
ben.preview({ physics: { gravity: 7 } });
await when(ann, ({ previews }) => previews['ben'] !== undefined);
const left = next(ann, 'participant_left', ({ userId }) => userId === 'ben');
ben.leave();
await left;
assert.deepEqual({ ...ann.getSnapshot().previews }, {});
assert.deepEqual(ann.participants.map(({ userId }) => userId), ['ann']);
done();
