// An endless piece is started, moved, joined in the middle, returned to, and stopped.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { button, done, eventually, inRoom, join, plan, slider } from './browser.mts';
import { loudness, sources, tap } from './taps.mts';

const sounds = (page: Page) => eventually(() => loudness(page), rms => rms > 0.001, 'it sounds');
const barOf = async (page: Page) => Number(await page.locator('[data-bar]').getAttribute('data-bar'));

const ann = await join('Ann', { before: tap });
const ben = await join('Ben', { before: tap, gateway: plan.gateways[1] });
for (const page of [ann, ben]) await page.locator('header').click();
for (const page of [ann, ben]) await button(page, 'Sound is on').waitFor();
const idle = await sources(ann);
await ann.getByRole('combobox', { name: 'style' }).selectOption('march');
await slider(ann, 'tempo').fill('180');
await button(ann, 'Play without an end').click();
await ben.getByText('The endless piece begins, started by Ann.').waitFor();
await ben.getByText('Bar 1', { exact: true }).waitFor();
await ben.getByText('march · C major · 180 bpm · started by Ann').waitFor();
await Promise.all([ann, ben].map(sounds));

// Everybody is told who moved what, and from which bar on it is heard.
await slider(ben, 'harmony').fill('0.2');
const moves = ann.getByRole('log', { name: 'What was moved' }).getByRole('paragraph');
const move = moves.filter({ hasText: 'Ben: harmony 0.20' });
await move.getByText(/^from bar \d+|heard now$/).waitFor();
await move.getByText('heard now').waitFor();
await move.waitFor({ state: 'detached' });
await ben.getByRole('combobox', { name: 'key' }).selectOption('D');
await ann.getByText(/· D major ·/).waitFor();

// A piece that is asked for meanwhile is kept, and heard by who wants it.
await ben.getByRole('combobox', { name: 'length' }).selectOption('60');
await button(ben, 'Generate music').click();
await button(ann, 'Play the piece').and(ann.locator(':enabled')).click();
await ann.getByText(/^\d+ notes$/).waitFor();
await button(ann, 'Stop').and(ann.locator(':text-is("Stop")')).click();
await ann.locator('[data-bar]').waitFor();

// Who comes late hears it at once; who was away hears it go on.
await button(ben, 'Leave').click();
await ben.context().close();
const cat = await join('Cat', { before: tap, gateway: plan.gateways[1] });
await cat.locator('header').click();
await cat.locator('[data-bar]').waitFor();
await sounds(cat);
await button(ann, 'Cut the connection').click();
await ann.locator('.room[data-status=away]').waitFor();
const left = await barOf(cat);
await inRoom(ann);
await eventually(() => barOf(ann), bar => bar > left, 'it goes on');
await sounds(ann);

// Whoever may edit ends it, for all.
await button(cat, 'Stop the endless piece').click();
await ann.getByText('The endless piece was stopped by Cat.').waitFor();
for (const page of [ann, cat]) {
  await button(page, 'Play without an end').waitFor();
  await page.locator('[data-bar]').waitFor({ state: 'detached' });
  await eventually(() => loudness(page), rms => rms < 0.0001, 'it is silent');
}
assert.equal(await moves.count(), 0);
await eventually(() => sources(ann), count => count <= idle, 'all that the piece was played by is let go');
await done();
