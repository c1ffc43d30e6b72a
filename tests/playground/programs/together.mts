// Two windows of one universe, each on a gateway of its own: people see and hear one another.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { button, done, eventually, inRoom, join, open, plan, slider } from './browser.mts';

/** Where the piece's file is put. */
const file = process.argv[3] ?? '/tmp/piece.mid';
// By hand: `together.mts PLAN FILE MS`.
const MAX_MEDIAN_MS = Number(process.argv[4] ?? Infinity);
const STEPS = 40;
const STEP_MS = 30;

const ann = await join('Ann');
const ben = await join('Ben', { gateway: plan.gateways[1] });
await ann.getByText('2 people here').waitFor();
await ben.getByRole('listitem').filter({ hasText: 'Ann' }).waitFor();

// While Ann drags, Ben's slider moves, and has her name on it; nothing is stored yet.
const gravity = slider(ann, 'gravity');
const box = await gravity.boundingBox();
assert.ok(box);
const at = (part: number) => [box.x + 9 + part * (box.width - 18), box.y + box.height / 2] as const;
// When the slider had which value: in Ann's window as she moves it, in Ben's as he sees it.
for (const [page, isMoved] of [[ann, true], [ben, false]] as const) {
  await page.evaluate(moved => {
    const seen: { value: string; atMs: number }[] = [];
    Object.assign(window, { seen });
    const input = document.getElementById('physics-gravity') as HTMLInputElement;
    const look = () => {
      if (seen.at(-1)?.value !== input.value) seen.push({ value: input.value, atMs: performance.timeOrigin + performance.now() });
      if (!moved) setTimeout(look, 0);
    };
    if (moved) input.addEventListener('input', look, { capture: true });
    else look();
  }, isMoved);
}
await ann.mouse.move(...at(0.5));
await ann.mouse.down();
for (let step = 1; step <= STEPS; step += 1) {
  await ann.mouse.move(...at(0.5 + (0.4 * step) / STEPS));
  await sleep(STEP_MS);
}
await ben.locator('.slider.touched .hand', { hasText: 'Ann' }).waitFor();
const whileHeld = await slider(ben, 'gravity').inputValue();
assert.notEqual(whileHeld, '9.8');
await ann.mouse.up();
const final = await gravity.inputValue();
await eventually(() => slider(ben, 'gravity').inputValue(), value => value === final, 'Ben ends on what Ann let go');
await ben.locator('.hand').waitFor({ state: 'detached' });

// Both windows are on one machine, and so on one clock.
type Seen = { seen: { value: string; atMs: number }[] };
const [sent, shown] = await Promise.all([ann, ben].map(page => page.evaluate(() => (window as unknown as Seen).seen)));
const delays = (shown ?? []).slice(1).flatMap(({ value, atMs }) => {
  const from = sent?.find(one => one.value === value);
  return from ? [atMs - from.atMs] : [];
});
delays.sort((one, other) => one - other);
const median = delays[delays.length >> 1] ?? Infinity;
assert.ok(delays.length >= STEPS / 4, `Ben saw ${delays.length} of ${STEPS} steps`);
assert.ok(median <= MAX_MEDIAN_MS, `the median delay is ${median} ms`);

// A choice, by somebody else.
await ben.getByRole('combobox', { name: 'key' }).selectOption('F#');
await eventually(() => ann.getByRole('combobox', { name: 'key' }).inputValue(), value => value === 'F#', 'Ann sees the key');

// A piece for both, which begins at one time.
await button(ben, 'Generate music').click();
const notes = await ann.getByText(/^\d+ notes$/).textContent();
assert.equal(await ben.getByText(/^\d+ notes$/).textContent(), notes);
const begins = await Promise.all(
  [ann, ben].map(page => eventually(() => page.locator('.roll').getAttribute('data-starts-at-ms'), Boolean, 'it plays')),
);
const apart = Math.abs(Number(begins[0]) - Number(begins[1]));
assert.ok(apart < 1000, `the piece begins ${apart} ms apart`);

// Its file is there.
const [download] = await Promise.all([ann.waitForEvent('download'), button(ann, 'Download MIDI').click()]);
await download.saveAs(file);

// What Ben plays is measured, and seen by Ann on her stage.
await ben.getByRole('radio', { name: 'What I play' }).check();
const overlay = ann.locator('.stage canvas').nth(1);
await ann.getByRole('listitem').filter({ hasText: 'Ben' }).getByText('live sound').waitFor();
const isDrawnOn = () =>
  overlay.evaluate(element => {
    const canvas = element as HTMLCanvasElement;
    const blank = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
    return canvas.toDataURL() !== blank.toDataURL();
  });
await eventually(isDrawnOn, drawn => drawn, 'Ann sees what Ben hears');
await ben.getByRole('radio', { name: 'Nothing' }).check();
await ann.getByRole('listitem').getByText('live sound').waitFor({ state: 'detached' });

// The connection is cut: what happens meanwhile comes back.
await button(ann, 'Cut the connection').click();
await ann.locator('.room[data-status=away]').waitFor();
await slider(ben, 'friction').fill('0.9');
await inRoom(ann);
await ann.getByText(/Back after .* came back \(friction\): nothing was lost/).waitFor();
assert.equal(await slider(ann, 'friction').inputValue(), '0.9');

// Ben leaves, and is at the start again, where a new universe can be begun.
await button(ben, 'Leave').click();
await ann.getByText('1 person here').waitFor();
const visitor = await open('/');
await visitor.getByLabel('Your name').fill('Cat');
await button(visitor, 'Start a new universe').click();
await inRoom(visitor);
assert.match(visitor.url(), /universe=[A-Za-z0-9_-]+&name=Cat$/);
console.log(JSON.stringify({ median, steps: delays.length, apart, notes: parseInt(notes ?? '') }));
await done();
