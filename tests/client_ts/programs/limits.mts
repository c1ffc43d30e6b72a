// At a limit: updates go on when the server says so, merged, and end on the last value.
import assert from 'node:assert/strict';
import { done, join, when } from './plan.mts';

const { client, universe: ann } = await join('ann', 0);
const { universe: ben } = await join('ben', 1);
assert.equal(client.limits?.parametersPerMinute, 600);

// Something else on this connection asks for too much at once.
const { socket } = client;
const full = new Promise<void>(resolve => {
  const flood = () => {
    for (let number = 0; number < 20; number += 1) {
      socket.emit('time_sync', { t0: 0 }, answer => {
        if ('ok' in answer) resolve();
      });
    }
  };
  flood();
  flood();
});
const refused = when(ann, ({ heldBackUntilMs }) => heldBackUntilMs !== undefined);
const first = ann.set({ physics: { gravity: 1 } });
await full;
const { error } = await refused;
assert.equal((error as { code?: string }).code, 'RATE_LIMITED');
assert.ok(Number((error as { retryAfterMs?: number }).retryAfterMs) > 0);
assert.equal(ann.parameters?.physics.gravity, 1);
const second = ann.set({ physics: { gravity: 2 }, music: { tempo: 77 } });
const seqs = (await Promise.all([first, second])).map(({ seq }) => seq);
assert.equal(seqs[0], seqs[1]);
assert.equal(ann.getSnapshot().heldBackUntilMs, undefined);
await when(ben, ({ parameters }) => parameters?.physics.gravity === 2 && parameters.music.tempo === 77);
done();
