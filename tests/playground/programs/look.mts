// Pictures of the page: by hand, into the folder that is named.
import { setTimeout as sleep } from 'node:timers/promises';
import { devices } from 'playwright-core';
import { MOVING, button, done, join, open, slider } from './browser.mts';

const folder = process.argv[3] ?? '/tmp';
const { viewport, ...phone } = devices['iPhone 13'];
for (const colorScheme of ['dark', 'light'] as const) {
  const ann = await join('Ann', { colorScheme, ...MOVING });
  // Only one window is drawn all the time: a slow machine draws that one better.
  const ben = await join('Ben', { colorScheme, reducedMotion: 'reduce', ...phone, viewport: { width: 390, height: 844 } });
  const lobby = await open('/', { colorScheme });
  await button(ann, 'Generate music').click();
  await ann.getByText(/\d+ notes/).waitFor();
  await sleep(4000);
  const gravity = await slider(ben, 'elasticity').boundingBox();
  await slider(ben, 'elasticity').scrollIntoViewIfNeeded();
  const box = (await slider(ben, 'elasticity').boundingBox()) ?? gravity;
  if (box) {
    await ben.mouse.move(box.x + box.width * 0.7, box.y + box.height / 2);
    await ben.mouse.down();
    await ben.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2, { steps: 6 });
  }
  await sleep(300);
  await ann.screenshot({ path: `${folder}/desktop-${colorScheme}.png` });
  await ben.mouse.up();
  await ben.evaluate(() => scrollTo(0, 0));
  await sleep(300);
  await ben.screenshot({ path: `${folder}/phone-${colorScheme}.png` });
  await ben.screenshot({ path: `${folder}/phone-whole-${colorScheme}.png`, fullPage: true });
  await lobby.screenshot({ path: `${folder}/lobby-${colorScheme}.png` });
  console.log(await ann.locator('.amount').evaluate(each => [each.textContent, (each as HTMLElement).dataset['framesPerS']]));
  // The endless piece, at three widths; Ben moves what it is made from.
  const cat = await join('Cat', { colorScheme, viewport: { width: 820, height: 1100 } });
  await ann.getByRole('combobox', { name: 'style' }).selectOption('pop');
  await button(ann, 'Play without an end').click();
  await cat.getByText(/^Bar [3-9]$/).waitFor();
  await slider(ben, 'tempo').fill('96');
  await ben.getByRole('combobox', { name: 'key' }).selectOption('D');
  await ann.getByText('heard now').first().waitFor();
  await sleep(700);
  for (const [page, name] of [[ann, 'desktop'], [ben, 'phone'], [cat, 'tablet']] as const) {
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: `${folder}/endless-${name}-${colorScheme}.png` });
  }
  await ben.locator('.dock').screenshot({ path: `${folder}/endless-phone-dock-${colorScheme}.png` });
  await button(ann, 'Stop the endless piece').click();
  for (const page of [ann, ben, cat, lobby]) await page.context().close();
}
await done();
