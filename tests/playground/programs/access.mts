// Everybody can use it: by keyboard alone, with a screen reader, on dark and on light.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { devices, type Page } from 'playwright-core';
import { button, done, eventually, join, open, plan, slider } from './browser.mts';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const NAMES = [
  ...['gravity', 'friction', 'elasticity', 'air resistance', 'time scale', 'harmony', 'tempo', 'rhythm complexity'],
  ...['melody range', 'brightness', 'saturation', 'complexity', 'particle count', 'glow intensity'],
];

type Result = { violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] };
async function violations(page: Page): Promise<unknown[]> {
  const result = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<Result> } }).axe.run());
  return result.violations.map(({ id, nodes }) => [id, nodes.map(node => node.html + (node.failureSummary ?? ''))]);
}

// axe-core is read by the browser's own tools, past the page's policy.
const player = await open(`/?universe=${plan.universe}#token=${plan.tokens['owner']}`);
await button(player, 'Play without an end').click();
await button(player, 'Stop the endless piece').waitFor();
await slider(player, 'harmony').fill('0.9');
const judged = { bypassCSP: true, reducedMotion: 'reduce' } as const;
for (const colorScheme of ['dark', 'light'] as const) {
  const { defaultBrowserType: _, ...phone } = devices['iPhone 13'];
  for (const device of [{}, { ...phone, deviceScaleFactor: 1 }]) {
    const pages = [
      await join('Ann', { ...judged, ...device, colorScheme }),
      await open('/', { ...judged, ...device, colorScheme }),
      await open(`/?universe=${plan.universe}#token=${plan.tokens['late']}`, { ...judged, ...device, colorScheme }),
    ];
    await pages[0]?.getByText(/^Bar \d+$/).waitFor();
    await pages[2]?.getByRole('alertdialog').waitFor();
    for (const page of pages) {
      await page.addScriptTag({ path: axe });
      assert.deepEqual(await violations(page), []);
      const wide = await page.evaluate(() =>
        [...document.querySelectorAll('body *')]
          .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
          .map(each => each.outerHTML.slice(0, 120)),
      );
      assert.deepEqual(wide, [], 'nothing is wider than the window');
      await page.context().close();
    }
  }
}

await button(player, 'Stop the endless piece').click();
await button(player, 'Play without an end').waitFor();
await player.context().close();

// By keyboard alone: from the lobby into a universe, and through its controls.
const visitor = await open('/');
const { keyboard } = visitor;
await keyboard.press('Tab');
await keyboard.type('Dot');
for (const key of ['Tab', 'Tab']) await keyboard.press(key);
await keyboard.type(plan.universe);
await keyboard.press('Enter');
await visitor.locator('.room[data-status=joined]').waitFor();
const ben = await join('Ben');
const focused = () =>
  visitor.evaluate(() => {
    const { activeElement } = document;
    const label = activeElement instanceof HTMLInputElement ? activeElement.labels?.[0]?.textContent : undefined;
    return activeElement?.getAttribute('aria-label') ?? label ?? activeElement?.textContent?.trim() ?? '';
  });
const reached: string[] = [];
for (let step = 0; step < 60 && !reached.includes('Cut the connection'); step += 1) {
  await keyboard.press('Tab');
  const name = await focused();
  reached.push(name);
  if (name === 'gravity') {
    for (let press = 0; press < 5; press += 1) await keyboard.press('ArrowRight');
  }
  if (name === 'Play without an end') {
    for (const label of ['Stop the endless piece', 'Play without an end']) {
      await keyboard.press('Enter');
      await button(visitor, label).waitFor();
    }
    await visitor.locator('[data-bar]').waitFor({ state: 'detached' });
  }
  if (name === 'Generate music') {
    await keyboard.press('Enter');
    await button(visitor, 'Download MIDI').and(visitor.locator(':enabled')).waitFor();
  }
}
for (const name of [...NAMES, 'Generate music', 'Play without an end', 'Download MIDI', 'Cut the connection']) {
  assert.ok(reached.includes(name), `${name} is reached: ${reached.join(', ')}`);
}
await ben.getByText(/^\d+ notes$/).waitFor();
await eventually(() => slider(ben, 'gravity').inputValue(), value => value === '10.3', 'Ben sees the key presses');
for (const name of NAMES) assert.equal(await slider(ben, name).count(), 1);
const keys = await ben.getByRole('combobox', { name: 'key' }).locator('option').allTextContents();
assert.equal(new Set(keys).size, 12);
assert.ok(await button(ben, 'Generate music').isVisible());
await done();
