import assert from 'node:assert/strict';
import { test } from 'node:test';
import { best, nextIntervalMs, quality, reading, remember, sample, type Samples } from '../src/clock.ts';

const of = (...rtts: (number | undefined)[]): Samples =>
  rtts.map(rttMs => (rttMs === undefined ? undefined : { thereMs: rttMs / 2, backMs: -rttMs / 2 }));

test('the offset is what the clocks are apart by, where both ways take as long', () => {
  // The server is 1,000 ms ahead; each way takes 40 ms, and the server itself 5 ms.
  assert.deepEqual(reading(sample(0, 1040, 1045, 85)), { offsetMs: 1000, rttMs: 80 });
});

test('the offset is wrong by half of what the ways differ in', () => {
  assert.deepEqual(reading(sample(0, 1080, 1080, 120)), { offsetMs: 1020, rttMs: 120 });
});

test('of several samples the fastest way there and the fastest way back count', () => {
  // 40 ms there and 80 back, then 90 there and 40 back.
  const samples = [sample(0, 1040, 1040, 120), undefined, sample(0, 1090, 1090, 130)];
  assert.deepEqual(best(samples), { offsetMs: 1000, rttMs: 80 });
  assert.equal(best([]), undefined);
});

test('the oldest samples are forgotten', () => {
  let samples: Samples = of(1);
  for (let number = 0; number < 16; number += 1) samples = remember(samples, sample(0, 25, 25, 50));
  assert.equal(samples.length, 16);
  assert.equal(best(samples)?.rttMs, 50);
});

test('a dozen questions are asked in the first 300 ms, and at last one in 10 s', () => {
  const times = [0];
  let intervalMs = 0;
  while (intervalMs < 10_000) {
    intervalMs = nextIntervalMs(intervalMs);
    times.push((times.at(-1) ?? 0) + intervalMs);
  }
  assert.equal(times.filter(timeMs => timeMs <= 300).length, 13);
  assert.ok(times.length <= 52);
  assert.equal(nextIntervalMs(intervalMs), 10_000);
});

test('two clients under 80 ms of latency and 40 ms of jitter a message are at most 15 ms apart', () => {
  // A generator of our own, so that the test does the same each time.
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const offset = () => {
    let samples: Samples = [];
    for (let number = 0; number < 8; number += 1) {
      const [there, back] = [80 + 40 * random(), 80 + 40 * random()];
      samples = remember(samples, sample(0, there, there, there + back));
    }
    return best(samples)?.offsetMs ?? Infinity;
  };
  const apart = Array.from({ length: 50 }, () => Math.abs(offset() - offset()));
  assert.ok(Math.max(...apart) <= 15, String(Math.max(...apart)));
});

test('the quality goes by the median of the newest round trips and by answers that did not come', () => {
  assert.equal(quality(of(900, 20, 30, 140, 900, 20)), 'good');
  assert.equal(quality(of(300, 300, 300)), 'fair');
  assert.equal(quality(of(20, 20, undefined)), 'fair');
  assert.equal(quality(of(900, 900, 20)), 'poor');
  assert.equal(quality(of(20, undefined, undefined)), 'poor');
});
