// Two clients on two gateways start a piece at the same time, however unsteady their networks are.
import assert from 'node:assert/strict';
import { network } from './network.mts';
import { done, gateways, join, next } from './plan.mts';

const LATENCY_MS = 80;
const JITTER_MS = 40;
const MAX_APART_MS = 15;
// By hand, more of them: `together.mts PLAN PIECES`.
const pieces = Number(process.argv[3] ?? 2);
const networks = await Promise.all(gateways.map(url => network(url, LATENCY_MS, JITTER_MS)));
const options = networks.map(({ url }) => ({ url, socketOptions: { transports: ['websocket'] } }));
const { client: ann, universe } = await join('ann', 0, options[0]);
const { client: ben, universe: bens } = await join('ben', 1, options[1]);

const apart: number[] = [];
for (let number = 0; number < pieces; number += 1) {
  const heard = next(bens, 'music_generated');
  const [{ playAt = '' }, piece] = await Promise.all([universe.generate({ duration: 1 }), heard]);
  assert.equal(piece.playAt, playAt);
  // Both clocks are read in the same moment of this process.
  apart.push(Math.abs(ann.clock.until(playAt) - ben.clock.until(playAt)));
}
console.log(`at most ${Math.max(...apart).toFixed(1)} ms apart`);
assert.ok(Math.max(...apart) <= MAX_APART_MS, apart.map(ms => ms.toFixed(1)).join(' '));
done();
for (const each of networks) each.close();
