// Whoever may not do something is told so in a friendly way, and what to do about it.
import assert from 'node:assert/strict';
import { button, call, done, eventually, inRoom, join, open, plan, slider } from './browser.mts';

const alert = 'alertdialog';

// Two places: Ann and Ben take them, and a third finds the universe full.
const ann = await join('Ann');
const ben = await open(`/?universe=${plan.universe}#token=${plan.tokens['ben']}`);
await inRoom(ben);
assert.ok(!ben.url().includes('token'));
const cat = await open(`/?universe=${plan.universe}&name=Cat`);
await cat.getByRole(alert, { name: 'This universe is full' }).waitFor();

// Ben is put out, and may come again once there is a place.
await call('DELETE', `/universes/${plan.universe}/participants/ben`, 'owner');
await ben.getByRole(alert, { name: 'You were put out of the room' }).waitFor();
await button(cat, 'Join again').click();
await inRoom(cat);
await button(cat, 'Leave').click();
await ann.getByText('1 person here').waitFor();
await button(ben, 'Join again').click();
await inRoom(ben);
await button(ben, 'Leave').click();

// A token that has expired.
const late = await open(`/?universe=${plan.universe}#token=${plan.tokens['late']}`);
await late.getByRole(alert, { name: 'Your token has expired' }).waitFor();
await late.getByRole('textbox', { name: 'Token' }).fill(plan.tokens['ben'] ?? '');
await button(late, 'Go on').click();
await inRoom(late);

// More pieces than one may ask for: the button waits, and counts down.
const generate = button(ann, 'Generate music');
for (let piece = 0; piece < 10; piece += 1) {
  await generate.click();
  await generate.waitFor();
}
await generate.click();
const told = ann.getByText(/the next piece in \d+ s/);
const first = Number(/(\d+) s/.exec((await told.textContent()) ?? '')?.[1]);
assert.ok(first <= 60);
assert.ok(await generate.isDisabled());
await eventually(async () => Number(/(\d+) s/.exec((await told.textContent()) ?? '')?.[1]), left => left < first, 'it counts down');
assert.equal(await slider(ann, 'gravity').isDisabled(), false);
await done();
