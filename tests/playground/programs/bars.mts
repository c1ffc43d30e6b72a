// Two windows on two gateways, far away, play the endless piece together; one of them is cut off.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type MusicBar } from '../../../shared/client-ts/src/index.ts';
import { network } from '../../client_ts/programs/network.mts';
import { button, done, eventually, join, plan, slider } from './browser.mts';
import { heard } from './onsets.mts';
import { aheadMs, beginsMs, hide, tap } from './taps.mts';

const LATENCY_MS = 80;
const JITTER_MS = 40;
const OUTAGE_MS = 2000;
const WARM_UP_BARS = 1;
/** Of the piano that plays all voices of the style, in all chapters: one sounds, one modulates it. */
const OSCILLATORS_PER_NOTE = 2;
// By hand, on a quiet machine: `bars.mts PLAN BARS TEMPO OUTAGES APART_MS`. Otherwise the connection is
// broken and comes back, and only what no load of the machine changes is required: the audio clock of
// a busy machine stands still at times.
const wanted = Number(process.argv[3] ?? 4);
const tempo = Number(process.argv[4] ?? 110);
const outages = Number(process.argv[5] ?? 1);
const maxApartMs = Number(process.argv[6] ?? Infinity);
const isByHand = Number.isFinite(maxApartMs);
/** A sound within this time of a note is taken for the note. */
const NEAR_MS = 150;
/** More than a window looks ahead that is not hidden. */
const LEAST_AHEAD_MS = 500;

const networks = await Promise.all(plan.gateways.map(url => network(url, LATENCY_MS, JITTER_MS)));
/** When Ben's window received which bar for the first time. */
const receivedMs = new Map<number, number>();
/** How long it was away each time. */
const awayMs: number[] = [];
let awaySinceMs: number | undefined;
const received = (text: string): void => {
  if (awaySinceMs !== undefined && text.includes('"connect_success"')) {
    awayMs.push(Date.now() - awaySinceMs);
    awaySinceMs = undefined;
  }
  const number = Number(/"music_bar",.*"bar":(\d+)/.exec(text)?.[1]);
  if (!Number.isNaN(number) && !receivedMs.has(number)) receivedMs.set(number, Date.now());
};
const [ann, ben] = [
  await join('Ann', { before: tap, gateway: networks[0]?.url ?? '' }),
  await join('Ben', { before: tap, gateway: networks[1]?.url ?? '', received }),
];
// A program that is in the room as well, and near: it has all bars.
const client = createClient({ url: plan.gateways[0], getToken: () => plan.tokens['owner'] ?? '' });
const universe = client.universe(plan.universe);
await universe.joined();
const bars: MusicBar[] = [];
universe.onBar(bar => bars.push(bar));

for (const page of [ann, ben]) await page.locator('header').click();
for (const page of [ann, ben]) await button(page, 'Sound is on').waitFor();
await slider(ann, 'tempo').fill(String(tempo));
// Without drums: each note is an oscillator's beginning, and nothing else is.
await ann.getByRole('combobox', { name: 'style' }).selectOption('classical');
await button(ann, 'Play without an end').click();
await button(ben, 'Stop the endless piece').waitFor();
await eventually(async () => bars.length, count => count > WARM_UP_BARS, 'bars come');
// The timers of a hidden window come once a second: it lets sounds begin long before they are heard.
await hide(ben, true);
await eventually(() => aheadMs(ben), ms => ms > LEAST_AHEAD_MS, 'sounds begin ahead');
await hide(ben, false);

// Ben's network is away, now and then, wherever the piece is by then.
const spacing = Math.floor(wanted / (outages + 1));
for (let outage = 1; outage <= outages; outage += 1) {
  await eventually(async () => bars.length, count => count > outage * spacing, 'bars come', Infinity);
  await sleep(Math.random() * 1000 * (bars[0]?.duration ?? 1));
  awaySinceMs = Date.now();
  await networks[1]?.outage(isByHand ? OUTAGE_MS : 0);
}
const judged = await eventually(
  async () => bars.slice(WARM_UP_BARS, wanted + WARM_UP_BARS),
  ({ length }) => length === wanted,
  'bars come',
  Infinity,
);
const last = judged.at(-1);
assert.ok(last);
await sleep(client.clock.until(last.startsAt) + last.duration * 1000);
const leads = judged.map(({ bar, startsAt }) => Date.parse(startsAt) - (receivedMs.get(bar) ?? Infinity));
/** How many sounds there are in bars. */
const soundsOf = (all: readonly MusicBar[]): number => all.reduce((sum, { notes }) => sum + notes.length * OSCILLATORS_PER_NOTE, 0);
// All notes of the bars that came in time sound in the end, and none twice.
const inTime = judged.filter((_, index) => (leads[index] ?? -1) > 0);
for (const [page, due] of [[ann, judged], [ben, inTime]] as const) {
  const least = soundsOf(due);
  const begun = await eventually(async () => (await beginsMs(page)).length, count => count >= least, `${least} sounds begin`);
  const most = soundsOf(bars);
  assert.ok(begun <= most, `${begun} sounds began, of ${most}`);
}
await button(ben, 'Stop the endless piece').click();
await button(ann, 'Play without an end').waitFor();

const [anns, bens] = (await Promise.all([ann, ben].map(beginsMs))).map(sounds =>
  heard(bars, sounds, OSCILLATORS_PER_NOTE, NEAR_MS).slice(WARM_UP_BARS, wanted + WARM_UP_BARS),
);
assert.ok(anns && bens);
const apart = anns.map(({ lateMs }, index) => Math.abs(lateMs - (bens[index]?.lateMs ?? NaN)));
const sorted = apart.filter(Number.isFinite).sort((one, other) => one - other);
const isWhole = ({ missing, extra }: { missing: number; extra: number }) => missing + extra === 0;
console.log(
  JSON.stringify({
    bars: judged.length,
    barS: last.duration,
    mostApartMs: sorted.at(-1),
    medianApartMs: sorted[sorted.length >> 1],
    lateMs: [anns, bens].map(all => [Math.min(...all.map(({ lateMs }) => lateMs)), Math.max(...all.map(({ lateMs }) => lateMs))]),
    leastLeadMs: Math.min(...leads.filter(Number.isFinite)),
    notReceived: leads.filter(leadMs => !Number.isFinite(leadMs)).length,
    receivedLate: leads.filter(leadMs => Number.isFinite(leadMs) && leadMs < 0).length,
    awayMs,
    notWhole: { ann: anns.filter(one => !isWhole(one)), ben: bens.filter(one => !isWhole(one)) },
  }),
);
if (isByHand) {
  assert.deepEqual(anns.filter(one => !isWhole(one)), [], 'each note sounds once, in time, in the window that is not cut off');
  assert.deepEqual(bens.filter(one => !isWhole(one)), [], 'and in the one that is');
  assert.ok((sorted.at(-1) ?? Infinity) <= maxApartMs, `a bar begins ${sorted.at(-1)} ms apart`);
}
client.close();
await done();
await Promise.all(networks.map(each => each.close()));
