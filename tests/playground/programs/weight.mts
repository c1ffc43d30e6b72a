// What the page costs: bytes to load it, and time of the main thread.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { MOVING, button, done, eventually, join, plan } from './browser.mts';

const MAX_KB = 200;
const MAX_BUSY = 0.5;
// By hand, on a quiet machine, how many particles have to be drawn, and what plays meanwhile:
// `weight.mts PLAN PARTICLES endless`.
const minParticles = Number(process.argv[3] ?? 0);
const isEndless = process.argv[4] === 'endless';
const MEASURED_MS = 5000;

const page = await join('Ann', MOVING);
await button(page, isEndless ? 'Play without an end' : 'Generate music').click();
await page.getByText(isEndless ? /^Bar \d+$/ : /^\d+ notes$/).waitFor();
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
// CPU time of the main thread, and its tasks' time by the clock, which grows where others use the cores.
const measured = async () => {
  const { metrics } = await devtools.send('Performance.getMetrics');
  const value = (wanted: string) => metrics.find(({ name }) => name === wanted)?.value ?? NaN;
  return { atS: value('Timestamp'), cpuS: value('ThreadTime'), tasksS: value('TaskDuration') };
};
const before = await measured();
await sleep(MEASURED_MS);
const after = await measured();
const elapsedS = after.atS - before.atS;
const share = (after.cpuS - before.cpuS) / elapsedS;
const tasks = (after.tasksS - before.tasksS) / elapsedS;
const amount = page.locator('.amount');
const particles = parseInt((await amount.textContent())?.replace(',', '') ?? '');
const framesPerS = await amount.getAttribute('data-frames-per-s');
console.log(JSON.stringify({ bytes, share, tasks, particles, framesPerS }));
assert.ok(particles >= minParticles, `${particles} particles`);
assert.ok(share < MAX_BUSY, `the main thread takes ${share} of a core`);
await done();
