// A real browser, and windows of it that are one person each.
import assert from 'node:assert/strict';
import { chromium, type BrowserContextOptions, type Locator, type Page } from 'playwright-core';

interface Plan {
  /** The path of its program. */
  browser: string;
  gateways: [string, string];
  universe: string;
  /** Tokens by user. */
  tokens: Record<string, string>;
}

export const plan: Plan = JSON.parse(process.argv[2] ?? '');
export const PATIENCE_MS = 30_000;

export const browser = await chromium.launch({
  executablePath: plan.browser,
  args: [
    ...['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
    ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
    // Windows that nothing covers: all of them are drawn.
    ...['--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding'],
  ],
});

const complaints: string[] = [];
/** Connections that are cut or refused on purpose, of which the browser itself complains. */
const EXPECTED = /WebSocket connection to|ERR_|status of (401|403)/;

/** For windows whose particles are looked at: drawing those takes more CPU than all else. */
export const MOVING = { reducedMotion: 'no-preference' } as const;

export interface WindowOptions extends BrowserContextOptions {
  /** Which gateway serves the page; the first one. */
  gateway?: string;
  /** What runs in the window before the page does. */
  before?: () => void;
  /** Is told what the window receives over its WebSockets. */
  received?: (text: string) => void;
}

/** A window of its own, at a path of a gateway's; what it complains of is kept. */
export async function open(path: string, options: WindowOptions = {}): Promise<Page> {
  const { gateway = plan.gateways[0], before, received, ...rest } = options;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...rest,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  if (before) await context.addInitScript(before);
  const page = await context.newPage();
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  if (received) page.on('websocket', socket => socket.on('framereceived', ({ payload }) => received(String(payload))));
  page.on('pageerror', error => complaints.push(String(error.stack)));
  page.on('request', request => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).host !== new URL(gateway).host) {
      complaints.push(`asked another host: ${request.url()}`);
    }
  });
  await page.goto(`${gateway}${path}`);
  return page;
}

/** The window of somebody who is in the universe, by a link alone. */
export async function join(name: string, options: WindowOptions = {}): Promise<Page> {
  const page = await open(`/?universe=${plan.universe}&name=${name}`, options);
  await inRoom(page);
  return page;
}

export async function inRoom(page: Page): Promise<void> {
  await page.locator('.room[data-status=joined]').waitFor();
}

export const slider = (page: Page, name: string): Locator => page.getByRole('slider', { name, exact: true });
export const button = (page: Page, name: string | RegExp): Locator => page.getByRole('button', { name });

/** Wait until something is so. */
export async function eventually<T>(
  read: () => Promise<T>,
  fits: (value: T) => boolean,
  what: string,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const value = await read();
    if (fits(value)) return value;
    assert.ok(performance.now() < untilMs, `${what}: ${JSON.stringify(value)}`);
    await new Promise(resolve => setTimeout(resolve, 30));
  }
}

/** A call of the HTTP API. */
export async function call(method: string, path: string, user: string): Promise<void> {
  const headers = { Authorization: `Bearer ${plan.tokens[user]}` };
  const response = await fetch(`${plan.gateways[0]}/api/v1${path}`, { method, headers });
  assert.ok(response.ok, await response.text());
}

/** Close the browser; nothing may have been complained of, but what is expected. */
export async function done(): Promise<void> {
  await browser.close();
  const unexpected = complaints.filter(complaint => !EXPECTED.test(complaint));
  assert.deepEqual(unexpected, []);
}

process.on('uncaughtException', async error => {
  console.error(error, complaints);
  await browser.close();
  process.exit(1);
});
