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
  for (let number = 0; number < 32; number += 1) samples = remember(samples, sample(0, 25, 25, 50));
  assert.equal(samples.length, 32);
  assert.equal(best(samples)?.rttMs, 50);
});

test('fifteen questions are asked in the first 300 ms, and at last one in 10 s', () => {
  const times = [0];
  let intervalMs = 0;
  while (intervalMs < 10_000) {
    intervalMs = nextIntervalMs(intervalMs);
    times.push((times.at(-1) ?? 0) + intervalMs);
  }
  assert.equal(times.filter(timeMs => timeMs <= 300).length, 15);
  assert.ok(times.length <= 75);
  assert.equal(nextIntervalMs(intervalMs), 10_000);
});

test('samples that contradict newer ones are forgotten: a clock was set or stood still', () => {
  const aheadBy = (ms: number) => sample(0, ms + 40, ms + 40, 80);
  for (const [before, after] of [[1000, 9000], [9000, 1000]] as const) {
    let samples: Samples = [];
    for (let number = 0; number < 20; number += 1) samples = remember(samples, aheadBy(before));
    samples = remember(samples, aheadBy(after));
    assert.deepEqual(best(samples), { offsetMs: after, rttMs: 80 });
  }
});

test('a clock that drifts is followed, however short the round trips are', () => {
  let samples: Samples = [];
  // 50 ppm: half a millisecond in 10 s, and a round trip takes one.
  for (let number = 0; number < 100; number += 1) samples = remember(samples, sample(0, number / 2 + 0.5, number / 2 + 0.5, 1));
  assert.ok(Math.abs((best(samples)?.offsetMs ?? 0) - 99 / 2) <= 0.5);
});

/** Numbers from 0 to 1, the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** What a client takes the offset for, which is 0: 80 ms away, up to 40 ms more a message, in order. */
function estimated(atMs: number, random: () => number): number {
  let samples: Samples = [];
  let [arrivedMs, backMs] = [0, 0];
  for (let askedMs = 0, intervalMs = 0; ; ) {
    arrivedMs = Math.max(arrivedMs, askedMs + 80 + 40 * random());
    backMs = Math.max(backMs, arrivedMs + 80 + 40 * random());
    if (backMs > atMs) return best(samples)?.offsetMs ?? Infinity;
    samples = remember(samples, sample(askedMs, arrivedMs, arrivedMs, backMs));
    intervalMs = nextIntervalMs(intervalMs);
    askedMs += intervalMs;
  }
}

// How far two of 4,000 clients are apart at most, the farthest one of a thousand left out.
for (const [atMs, maxMs, leftOut] of [[430, 15, 4], [700, 15, 0], [1500, 12, 0], [60_000, 10, 0]] as const) {
  test(`two clients under 80 ms of latency and 40 ms of jitter agree ${atMs} ms after they connected`, () => {
    const random = numbers(atMs);
    const apart = Array.from({ length: 4000 }, () => Math.abs(estimated(atMs, random) - estimated(atMs, random)));
    const most = apart.sort((one, other) => other - one)[leftOut] ?? Infinity;
    assert.ok(most <= maxMs, `${most} ms`);
  });
}

test('the quality goes by the median of the newest round trips and by answers that did not come', () => {
  assert.equal(quality(of(900, 20, 30, 140, 900, 20)), 'good');
  assert.equal(quality(of(300, 300, 300)), 'fair');
  assert.equal(quality(of(20, 20, undefined)), 'fair');
  assert.equal(quality(of(900, 900, 20)), 'poor');
  assert.equal(quality(of(20, undefined, undefined)), 'poor');
});
