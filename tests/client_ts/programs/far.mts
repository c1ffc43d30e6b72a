// With 300 ms of latency and broken connections, a drag shows at once, and all agree in the end.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { network } from './network.mts';
import { gateways, done, join, when, WEBSOCKET } from './plan.mts';

const LATENCY_MS = 150;
const STEP_MS = 30;
// By hand, longer: `far.mts PLAN SECONDS CUTS_PER_SECOND`.
const seconds = Number(process.argv[3] ?? 2);
const cutsPerSecond = Number(process.argv[4] ?? 0.5);
const networks = await Promise.all(gateways.map(url => network(url, LATENCY_MS)));
const options = networks.map(({ url }) => ({ ...WEBSOCKET, url, patienceMs: 60_000 }));
const { universe: ann } = await join('ann', 0, options[0]);
const { universe: ben } = await join('ben', 1, options[1]);

// Each drags a field of its own and one in common: tries out values, and now and then lets go.
const steps = Math.round((seconds * 1000) / STEP_MS);
const promises = [];
for (let step = 1; step <= steps; step += 1) {
  for (const [one, field] of [
    [ann, 'friction'],
    [ben, 'elasticity'],
  ] as const) {
    const physics = { [field]: step / steps, gravity: (20 * step) / steps };
    if (step % 7 && step < steps) {
      one.preview({ physics });
      if (one.status !== 'joined') continue;
    } else promises.push(one.set({ physics }));
    assert.deepEqual({ ...one.parameters?.physics, ...physics }, one.parameters?.physics);
  }
  for (const each of networks) if (Math.random() < (cutsPerSecond * STEP_MS) / 1000) each.cut();
  await sleep(STEP_MS);
}
// At least one of them, at the end of a drag.
ann.preview({ physics: { airResistance: 0.9 } });
networks[0]?.cut();
await when(ann, ({ status }) => status === 'away');
promises.push(ann.set({ physics: { timeScale: 2 } }));
await Promise.all(promises);

const agreed = ({ parameters, unsettled, previews }: ReturnType<typeof ann.getSnapshot>) =>
  !unsettled &&
  Object.keys(previews).length === 0 &&
  parameters?.physics.friction === 1 &&
  parameters.physics.elasticity === 1 &&
  parameters.physics.gravity === 20 &&
  parameters.physics.airResistance === 0.1 &&
  parameters.physics.timeScale === 2;
for (const one of [ann, ben]) await when(one, agreed);
assert.deepEqual(ann.parameters, ben.parameters);
done();
await Promise.all(networks.map(each => each.close()));
