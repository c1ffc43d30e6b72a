// The page of the quick start, used as Ann does it, beside Ben.
import assert from 'node:assert/strict';
import { createElement } from 'react';
import { create } from 'react-test-renderer';
import { createClient } from '@harmonic-universe/client';
import App from './page.tsx';

globalThis.fetch = async () => new Response(process.env['TOKEN']);

async function main(): Promise<void> {
  const getToken = () => process.env['TOKEN_BEN'] ?? '';
  const client = createClient({ url: 'http://127.0.0.1:8000', getToken });
  const universe = client.universe('universe-123');
  await universe.joined();
  const page = create(createElement(App));
  const shown = () => JSON.stringify(page.toJSON());
  const turn = () => new Promise(resolve => setTimeout(resolve, 10));
  while (!/joined: .*Ann/.test(shown())) await turn();

  const friction = () => page.root.findAllByType('input')[1]?.props ?? {};
  assert.equal(friction()['value'], 0.5);
  friction()['onChange']({ target: { value: '0.25' } });
  while (friction()['value'] !== 0.25) await turn();
  while (universe.getSnapshot().previews['ann']?.physics?.friction !== 0.25) await turn();
  assert.equal(universe.parameters?.physics.friction, 0.5);
  friction()['onPointerUp']();
  while (universe.parameters?.physics.friction !== 0.25) await turn();
  process.exit();
}

void main();
