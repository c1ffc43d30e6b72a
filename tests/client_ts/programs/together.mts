// Two clients on two gateways start a piece at the same time, however unsteady their networks are.
import assert from 'node:assert/strict';
import { network } from './network.mts';
import { done, gateways, join, next } from './plan.mts';

const LATENCY_MS = 80;
const JITTER_MS = 40;
// By hand, more pieces, and how far apart they may be: `together.mts PLAN PIECES MS`. Otherwise it
// is what no load of the machine changes: a clock is wrong by half of its round trip at most.
const pieces = Number(process.argv[3] ?? 2);
const maxMs = Number(process.argv[4] ?? Infinity);
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
  const apartMs = Math.abs(ann.clock.until(playAt) - ben.clock.until(playAt));
  const boundMs = ((ann.clock.rttMs ?? 0) + (ben.clock.rttMs ?? 0)) / 2;
  assert.ok(apartMs <= Math.min(boundMs, maxMs), `${apartMs} ms apart, of ${boundMs}`);
  apart.push(apartMs);
}
console.log(`at most ${Math.max(...apart).toFixed(1)} ms apart`);
done();
await Promise.all(networks.map(each => each.close()));
