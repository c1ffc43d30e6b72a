// A suite as somebody else writes one, with both kits installed: run by `test_kit`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient, RefusedError, type Client } from '@harmonic-universe/client';
import { startInstance, type HarmonicInstance } from '@harmonic-universe/test-kit';

const python = process.env['PYTHON'] ?? '';

async function page(harmonic: HarmonicInstance, user: string): Promise<Client> {
  return createClient({
    url: harmonic.url,
    getToken: () => harmonic.token(user),
    socketOptions: { transports: ['websocket'] },
  });
}

test('an instance of one gateway whose users may send three updates a minute', async () => {
  const settings = { HARMONIC_ALLOWED_PARAMETER_UPDATES: '3' };
  await using harmonic = await startInstance({ python, settings });
  const client = await page(harmonic, 'ann');
  const universe = client.universe(await harmonic.universe({ owner: 'ann', name: 'Ours' }));
  await universe.joined();
  assert.equal(client.limits?.parametersPerMinute, 3);

  // A refusal of the moment is got over; another is told.
  await harmonic.refuse('update_parameters', { code: 'INTERNAL_ERROR', retryAfterMs: 10 });
  await universe.set({ physics: { gravity: 3 } });
  await harmonic.refuse('generate_music', { code: 'PERMISSION_DENIED', reason: 'SWITCHED_OFF' });
  const refused = (error: unknown) => error instanceof RefusedError && error.reason === 'SWITCHED_OFF';
  await assert.rejects(universe.generate({ duration: 1 }), refused);

  // A connection that is cut, far away, comes back.
  await harmonic.delay(30, 20);
  const recovered = new Promise(resolve => universe.on('state_recovered', resolve));
  await harmonic.cut();
  await recovered;
  assert.equal(universe.parameters?.physics.gravity, 3);
  await harmonic.restore();
  client.close();
  await assert.rejects(harmonic.kill('state-9'), /there is no process state-9/);
});

test('one that does not start says why', async () => {
  const settings = { HARMONIC_EVENTS_PER_S: 'soon' };
  await assert.rejects(startInstance({ python, settings }), /HARMONIC_EVENTS_PER_S/);
  await assert.rejects(startInstance({ python: 'no-such-python' }), /no-such-python/);
});
