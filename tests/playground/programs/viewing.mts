// Who may only view sees everything, and can move nothing.
import assert from 'node:assert/strict';
import { button, done, eventually, join, open, plan, slider } from './browser.mts';

const owner = await open(`/?universe=${plan.universe}#token=${plan.tokens['owner']}`);
const guest = await join('Guest');
await guest.getByText('You are watching').waitFor();
for (const each of await guest.locator('aside').getByRole('slider').all()) assert.ok(await each.isDisabled());
for (const each of await guest.locator('aside').getByRole('combobox').all()) assert.ok(await each.isDisabled());
for (const name of ['Generate music', 'Play without an end']) assert.ok(await button(guest, name).isDisabled());
await slider(owner, 'gravity').fill('1.5');
await eventually(() => slider(guest, 'gravity').inputValue(), value => value === '1.5', 'the guest sees it move');
await owner.getByText('watching').waitFor();
await done();
