// The page without a build step, in two windows of a real browser: `use_browser.mts PLAN FOLDER PACKAGES`.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const [plan = '', folder = '', packages = ''] = process.argv.slice(2);
const { browser: executablePath, gateways, universe, tokens } = JSON.parse(plan);
const require = createRequire(join(packages, 'package.json'));
const { chromium } = require('playwright-core');

const TYPES: Record<string, string> = { html: 'text/html', js: 'text/javascript' };
// What the page asks of its own server: its files, and a token of the user, who is a cookie.
const server = createServer(async ({ url = '', headers }, response) => {
  const { pathname } = new URL(url, 'http://localhost');
  if (pathname === '/token') return response.end(tokens[headers.cookie?.split('=')[1] ?? '']);
  const path = pathname === '/' ? '/index.html' : pathname;
  response.setHeader('Content-Type', TYPES[path.split('.').at(-1) ?? ''] ?? 'text/plain');
  return response.end(await readFile(join(folder, path)).catch(() => response.writeHead(404) && ''));
});
await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const complaints: string[] = [];
async function open(user: string, gateway: number) {
  const context = await browser.newContext();
  await context.addCookies([{ name: 'user', value: user, url: address }]);
  const page = await context.newPage();
  page.on('console', (message: { type(): string; text(): string }) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error: Error) => complaints.push(String(error)));
  await page.goto(`${address}/?url=${gateways[gateway]}&universe=${universe}`);
  await page.getByText('joined').waitFor();
  return page;
}
const [ann, ben] = [await open('ann', 0), await open('ben', 1)];
await ann.getByRole('listitem').nth(1).waitFor();

// While Ann's slider moves, Ben's does; both stay where it is let go.
const slider = ann.getByRole('slider');
const moved = (value: string) =>
  ben.waitForFunction((wanted: string) => document.querySelector('input')?.value === wanted, value);
await slider.evaluate((input: HTMLInputElement) => {
  input.value = '5';
  input.dispatchEvent(new Event('input', { bubbles: true }));
});
await moved('5');
await slider.focus();
await ann.keyboard.press('ArrowRight');
await moved('5.1');
await ben.reload();
await ben.getByText('joined').waitFor();
await moved('5.1');
assert.deepEqual(complaints, []);
await browser.close();
server.close();
