// Tokens end: a newer one is asked for, when it is time or when the old one is refused.
import assert from 'node:assert/strict';
import { connect, done, next, token, universeId, when } from './plan.mts';

// The first is expired already, and the second soon will be.
const given = ['expired', 'ending', 'ann'];
const asked: string[] = [];
const getToken = async () => {
  const name = given[asked.length] ?? 'ann';
  asked.push(name);
  return token(name);
};
const client = connect('ann', 0, { getToken });
const refreshed = next(client, 'token_refreshed');
const ann = client.universe(universeId);
await ann.joined();
const { expiresAt } = await refreshed;
assert.deepEqual(asked, given);
assert.ok(client.clock.until(expiresAt) > 600_000);
assert.equal(client.getSnapshot().expiresAt, expiresAt);
assert.equal(client.getSnapshot().error, undefined);
await ann.set({ physics: { gravity: 1 } });

// A token that cannot be had at the moment is asked for again.
let failures = 0;
const flaky = connect('ann', 1, {
  getToken: async () => {
    failures += 1;
    if (failures === 1) throw new Error('the identity provider is away');
    return token('ann');
  },
});
await when(flaky, ({ error }) => error?.message === 'the identity provider is away');
await when(flaky, ({ status, error }) => status === 'connected' && error === undefined);

// A token that proves nothing is refused for good, until `connect` is called.
let good = false;
const stranger = connect('ann', 1, { getToken: () => (good ? token('ann') : 'nonsense') });
const { error } = await when(stranger, ({ status }) => status === 'refused');
assert.equal((error as { code?: string }).code, 'AUTH_ERROR');
assert.equal((error as { reason?: string }).reason, 'INVALID');
good = true;
stranger.connect();
await when(stranger, ({ status }) => status === 'connected');
done();
