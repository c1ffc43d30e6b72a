// 300 ms away, with connections that break: a drag goes on under the hand, and all agree in the end.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { network } from '../../client_ts/programs/network.mts';
import { done, eventually, inRoom, join, plan, slider } from './browser.mts';

const LATENCY_MS = 150;
const STEP_MS = 40;
// By hand, longer: `far.mts PLAN SECONDS CUTS_PER_SECOND`.
const seconds = Number(process.argv[3] ?? 4);
const cutsPerSecond = Number(process.argv[4] ?? 0.02);

const networks = await Promise.all(plan.gateways.map(url => network(url, LATENCY_MS)));
const [ann, ben] = await Promise.all([
  join('Ann', { gateway: networks[0]?.url ?? '' }),
  join('Ben', { gateway: networks[1]?.url ?? '' }),
]);
await Promise.all([ann, ben].map(page => page.getByText('2 people here').waitFor()));

/** Drag a slider to and fro, and cut a connection in the middle; the values under the hand. */
async function drag(page: Page, name: string, cut: () => void): Promise<string> {
  const input = slider(page, name);
  await input.scrollIntoViewIfNeeded();
  const box = await input.boundingBox();
  assert.ok(box);
  // Both sliders begin at 0.
  const max = Number(await input.getAttribute('max'));
  const move = (part: number) => page.mouse.move(box.x + 9 + part * (box.width - 18), box.y + box.height / 2);
  await move(0.5);
  await page.mouse.down();
  const beganMs = performance.now();
  let wasCut = false;
  let lastMs = beganMs;
  for (let step = 1; performance.now() < beganMs + seconds * 1000; step += 1) {
    const nowMs = performance.now();
    const isHalf: boolean = !wasCut && nowMs > beganMs + seconds * 500;
    if (isHalf || Math.random() < (cutsPerSecond * (nowMs - lastMs)) / 1000) cut();
    wasCut ||= isHalf;
    lastMs = nowMs;
    const part = 0.5 + 0.45 * Math.sin(step / 9);
    await move(part);
    // What is shown beside the slider is what the hand moves it to, within two frames.
    const shown = await input.evaluate(async element => {
      const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
      await frame();
      await frame();
      const slider = element as HTMLInputElement;
      return [slider.valueAsNumber, parseFloat(slider.previousElementSibling?.textContent ?? '')] as const;
    });
    const wanted = part * max;
    assert.ok(Math.abs(shown[0] - wanted) <= 0.03 * max, `${shown[0]}, not ${wanted}`);
    assert.equal(shown[0], shown[1]);
    await sleep(STEP_MS);
  }
  await page.mouse.up();
  return input.inputValue();
}

const gravity = await drag(ann, 'gravity', () => networks[0]?.cut());
const friction = await drag(ben, 'friction', () => networks[1]?.cut());
// One more is moved, not let go, and lost: it leaves nothing behind.
const elasticity = await slider(ben, 'elasticity').inputValue();
const box = await slider(ann, 'elasticity').boundingBox();
assert.ok(box);
await inRoom(ann);
await ann.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2);
await ann.mouse.down();
await ann.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2, { steps: 5 });
await eventually(() => slider(ben, 'elasticity').inputValue(), value => value !== elasticity, 'Ben sees it move');
networks[0]?.cut();
await ann.close();
await eventually(() => slider(ben, 'elasticity').inputValue(), value => value === elasticity, 'it is over');
await ben.locator('.hand').waitFor({ state: 'detached' });

const cat = await join('Cat');
for (const page of [ben, cat]) {
  await eventually(() => slider(page, 'gravity').inputValue(), value => value === gravity, 'all agree on gravity');
  await eventually(() => slider(page, 'friction').inputValue(), value => value === friction, 'all agree on friction');
  assert.equal(await slider(page, 'elasticity').inputValue(), elasticity);
}
await done();
await Promise.all(networks.map(each => each.close()));
