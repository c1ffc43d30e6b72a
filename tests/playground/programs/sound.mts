// What is heard: a piece sounds in both windows at one time, and live sound reaches everybody.
import assert from 'node:assert/strict';
import { createClient, type AudioAnalyzed } from '../../../shared/client-ts/src/index.ts';
import { button, done, eventually, join, plan } from './browser.mts';
import { beginsMs, loudness, tap } from './taps.mts';

// By hand, on a quiet machine: how far apart the windows may begin: `sound.mts PLAN MS`.
const maxApartMs = Number(process.argv[3] ?? Infinity);

const [ann, ben] = [await join('Ann', { before: tap }), await join('Ben', { before: tap, gateway: plan.gateways[1] })];
// A program that is in the room as well.
const client = createClient({ url: plan.gateways[0], getToken: () => plan.tokens['owner'] ?? '' });
const universe = client.universe(plan.universe);
await universe.joined();
const nextHeard = (fits: (heard: AudioAnalyzed) => boolean): Promise<AudioAnalyzed> =>
  new Promise(resolve => {
    const stop = universe.on('audio_analyzed', heard => {
      if (!fits(heard)) return;
      stop();
      resolve(heard);
    });
  });

// A click anywhere lets a window sound; then a piece sounds in both.
for (const page of [ann, ben]) await page.locator('header').click();
for (const page of [ann, ben]) await button(page, 'Sound is on').waitFor();
await ben.getByRole('combobox', { name: 'length' }).selectOption('16');
await button(ben, 'Generate music').click();
const loud = await Promise.all([ann, ben].map(page => eventually(() => loudness(page), rms => rms > 0.001, 'it sounds')));
const [annsMs, bensMs] = (await Promise.all([ann, ben].map(beginsMs))).map(all => Math.min(...all));
const apartMs = Math.abs((annsMs ?? NaN) - (bensMs ?? NaN));
assert.ok(apartMs <= maxApartMs, `the windows begin ${apartMs} ms apart`);

// What Ben plays is measured there, and heard of by all.
const isLoud = ({ analysis }: AudioAnalyzed): boolean => {
  const [waveform, frequencies] = [analysis.waveform, analysis.frequencies] as number[][];
  return (waveform ?? []).some(sample => sample !== 0) && (frequencies ?? []).some(band => band > 0.2);
};
const played = nextHeard(isLoud);
await ben.getByRole('radio', { name: 'What I play' }).check();
const { userId: bensId } = await played;
await ann.getByRole('listitem').filter({ hasText: 'Ben' }).getByText('live sound').waitFor();

// So is what Ann's microphone hears, which beeps.
const heard = nextHeard(one => one.userId !== bensId && isLoud(one));
await ann.getByRole('radio', { name: 'My microphone' }).check();
await heard;
await ben.getByRole('listitem').filter({ hasText: 'Ann' }).getByText('live sound').waitFor();
await ann.getByRole('radio', { name: 'Nothing' }).check();

// The sound is switched off in one window, and goes on in the other.
await button(ann, 'Sound is on').click();
await eventually(() => loudness(ann), rms => rms < 0.0001, 'it is silent');
assert.ok((await loudness(ben)) > 0);
console.log(JSON.stringify({ loud, apartMs }));
client.close();
await done();
