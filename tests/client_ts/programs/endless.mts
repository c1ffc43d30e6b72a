// An endless piece is started, its bars are heard once each, also after a cut, and it is ended.
import assert from 'node:assert/strict';
import { cut, done, join, next, when, WEBSOCKET } from './plan.mts';

const { client, universe } = await join('ann', 0, WEBSOCKET);
const { universe: bens } = await join('ben', 1);
await universe.set({ music: { tempo: 200 } });

const heard: number[] = [];
universe.onBar(({ bar }) => heard.push(bar));
await universe.startMusic({ style: 'waltz', seed: 7 });
const started = await when(bens, ({ endlessPiece }) => endlessPiece !== undefined);
assert.equal(started.endlessPiece?.seed, 7);
await next(universe, 'music_bar', ({ bar }) => bar === 2);

const back = next(universe, 'room_joined');
cut(client);
assert.equal((await back).endlessPiece?.seed, 7);
await next(universe, 'music_bar', ({ bar }) => bar >= 5);
assert.deepEqual(heard, [...new Set(heard)]);

await assert.rejects(bens.startMusic(), { reason: 'PLAYING' });
await bens.stopMusic();
await when(universe, ({ endlessPiece }) => endlessPiece === undefined);
done();
