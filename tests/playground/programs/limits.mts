// Changes come faster than the universe takes them: they are kept, and a message counts down.
import assert from 'node:assert/strict';
import { done, eventually, inRoom, join, open, plan, slider } from './browser.mts';

// Ann has used up elsewhere what she may do in this minute.
const ann = await open(`/?universe=${plan.universe}#token=${plan.tokens['ann']}`);
await inRoom(ann);
const ben = await join('Ben');
await slider(ann, 'gravity').fill('3.5');
const toast = ann.getByText(/your changes go out in/);
const seconds = async () => Number(/(\d+) s/.exec((await toast.textContent()) ?? '')?.[1]);
const first = await seconds();
assert.ok(first > 0 && first <= 60, `${first} s`);
await eventually(seconds, left => left < first, 'it counts down');
// Her own page shows it, and goes on.
assert.equal(await slider(ann, 'gravity').inputValue(), '3.5');
assert.notEqual(await slider(ben, 'gravity').inputValue(), '3.5');
await toast.waitFor({ state: 'detached', timeout: 70_000 });
await eventually(() => slider(ben, 'gravity').inputValue(), value => value === '3.5', 'Ben sees it in the end');
await done();
