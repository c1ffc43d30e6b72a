// The example application, used by Ann as a person does it, beside Ben.
import assert from 'node:assert/strict';
import { App } from '../../../shared/client-ts/examples/app.tsx';
import { create, createElement } from '../../../shared/client-ts/test/rendering.ts';
import { connect, cut, done, join, universeId, when, WEBSOCKET } from './plan.mts';

async function main(): Promise<void> {
  const { universe: ben } = await join('ben', 1);
  const client = connect('ann', 0, WEBSOCKET);
  const page = create(createElement(App, { client, id: universeId }));
  const ann = client.universe(universeId);
  await ann.joined();
  // What a change of the state shows, React draws a moment later.
  const drawn = async (text: string) => {
    while (!JSON.stringify(page.toJSON()).includes(text)) {
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  };
  await drawn('joined, connection good');
  await drawn('glow intensity');
  const shows = async (label: string, value: number) => {
    while (control(label)['value'] !== value) await new Promise(resolve => setTimeout(resolve, 10));
  };
  const control = (label: string) => page.root.findByProps({ 'aria-label': label }).props;
  const sliders = page.root.findAllByProps({ type: 'range' });
  assert.equal(sliders.length, 14);
  assert.equal(control('gravity')['max'], 20);

  // A slider moves: Ben sees it, and what it is where it is let go.
  control('air resistance')['onChange']({ target: { value: '0.5' } });
  await when(ben, ({ previews }) => previews['ann']?.physics?.airResistance === 0.5);
  await shows('air resistance', 0.5);
  control('air resistance')['onPointerUp']();
  await when(ben, ({ parameters }) => parameters?.physics.airResistance === 0.5);
  control('key')['onChange']({ target: { value: 'F#' } });
  await when(ben, ({ parameters }) => parameters?.music.key === 'F#');

  // What Ben does, the page shows: a move, a refusal to Ann, a piece.
  ben.preview({ physics: { gravity: 1 } });
  await drawn('ben is moving something');
  control('color scheme')['onChange']({ target: { value: 'no such / scheme' } });
  await drawn('"role":"alert"');
  const { notes } = await ben.generate({ duration: 2 });
  await drawn(`${notes.length} notes`);
  page.root.findByType('button').props['onClick']();
  await new Promise<void>(resolve => ben.on('music_generated', () => resolve()));

  // The connection breaks: the page goes on with what is so by now.
  const away = when(ann, ({ status }) => status === 'away');
  cut(client);
  await away;
  await ben.set({ physics: { timeScale: 4 } });
  await drawn('joined, connection good');
  await shows('time scale', 4);
  done();
}

void main();
