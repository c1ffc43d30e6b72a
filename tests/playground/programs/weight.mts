// What the page costs: bytes to load it, and time of the main thread.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { button, done, eventually, join, plan } from './browser.mts';

const MAX_KB = 200;
const MAX_BUSY = 0.5;
const MEASURED_MS = 5000;

const page = await join('Ann');
await button(page, 'Generate music').click();
await page.getByText(/^\d+ notes$/).waitFor();
await eventually(() => page.locator('.amount').count(), count => count === 1, 'particles are drawn');

const resources = await page.evaluate(() =>
  [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
    .map(entry => entry as PerformanceResourceTiming)
    .filter(({ name }) => !name.includes('/ws') && !name.includes('/socket.io'))
    .map(({ name, encodedBodySize, decodedBodySize }) => ({ name, encodedBodySize, decodedBodySize })),
);
const bytes = resources.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
assert.ok(resources.some(({ name }) => name.includes('instruments')), 'the instruments are loaded');
assert.ok(bytes <= MAX_KB * 1000, `${bytes} bytes`);

// Code and style come from files alone.
const response = await fetch(plan.gateways[0]);
const policy = response.headers.get('content-security-policy') ?? '';
assert.ok(policy.includes("script-src 'self'") && !policy.includes('unsafe'), policy);

const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.enable', { timeDomain: 'timeTicks' });
const busy = async () => {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
};
const cpu = async () => {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'ThreadTime')?.value ?? 0;
};
const [before, cpuBefore] = [await busy(), await cpu()];
await sleep(MEASURED_MS);
const share = ((await busy()) - before) / (MEASURED_MS / 1000);
const cpuShare = ((await cpu()) - cpuBefore) / (MEASURED_MS / 1000);
const drawn = await page.locator('.amount').evaluate(each => [each.textContent, (each as HTMLElement).dataset['framesPerS']]);
console.log(JSON.stringify({ bytes, share, cpuShare, drawn }));
assert.ok(share < MAX_BUSY, `the main thread is busy for ${share} of the time`);
await done();
