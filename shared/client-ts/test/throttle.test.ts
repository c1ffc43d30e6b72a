import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldBack, paceOf, turn } from '../src/throttle.ts';

test('the first turn is now, and no window holds more turns than the limit', () => {
  let pace = paceOf(60, 60_000);
  const times = [];
  for (let number = 0; number < 200; number += 1) {
    const next = turn(pace, 0);
    times.push(next.delayMs);
    pace = next.pace;
  }
  assert.equal(times[0], 0);
  for (const start of times) {
    assert.ok(times.filter(time => time >= start && time <= start + 60_000).length <= 60);
  }
});

test('time that passed unused is not saved up', () => {
  const { pace } = turn(paceOf(60, 60_000), 0);
  const late = turn(pace, 100_000);
  assert.equal(late.delayMs, 0);
  assert.equal(turn(late.pace, 100_000).delayMs, 1050);
});

test('held back, the next turn is when the server asked to come again', () => {
  const pace = heldBack(turn(paceOf(60, 60_000), 0).pace, 0, 5000);
  assert.equal(turn(pace, 0).delayMs, 5000);
  assert.equal(turn(heldBack(pace, 0, 10), 0).delayMs, 5000);
});

test('another limit keeps what was granted before', () => {
  const { pace } = turn(paceOf(60, 60_000), 0);
  assert.equal(turn(paceOf(600, 60_000, pace), 0).delayMs, 1050);
});
