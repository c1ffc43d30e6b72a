// From nothing to two windows that make music together, as somebody does who opens the address.
import assert from 'node:assert/strict';
import { button, done, eventually, inRoom, open, slider } from './browser.mts';

const ann = await open('/');
await ann.getByLabel('Your name').fill('Ann');
await button(ann, 'Start a new universe').click();
await inRoom(ann);

// A link is enough for the other window: it joins with no further click.
const universe = new URL(ann.url()).searchParams.get('universe') ?? '';
const ben = await open(`/?universe=${universe}&name=Ben`);
await inRoom(ben);
await ann.getByText('2 people here').waitFor();

await slider(ann, 'gravity').fill('3.5');
await eventually(() => slider(ben, 'gravity').inputValue(), value => value === '3.5', 'Ben sees it move');
await button(ben, 'Generate music').click();
const notes = await ann.getByText(/^\d+ notes$/).textContent();
assert.equal(await ben.getByText(/^\d+ notes$/).textContent(), notes);
await done();
console.log(JSON.stringify({ universe, notes }));
