import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { hueOf, paletteOf } from '../src/palettes.ts';
import { freeHue, moverOf, readHand } from '../src/room/hands.ts';
import { KEY_OPTIONS, keyOption, SCALE_OPTIONS, scaleOption, slidersOf, withValue, words, written } from '../src/parameters.ts';
import { PARAMETERS } from '../../contract/protocol.ts';
import { counted, explain, secondsUntil } from '../src/explanations.ts';
import { linkTo, nameIn, read, universeIn } from '../src/address.ts';
import { bandsOf, samplesOf } from '../src/music/spectrum.ts';
import { AudioTime } from '../src/music/audio-time.ts';
import { heardIn, withBar, withMove, type Endless } from '../src/music/endless.ts';
import { HandOver } from '../src/music/hand-over.ts';
import { Player } from '../src/music/player.ts';
import { stoppedOnRelease } from '../src/music/release.ts';
import { beginning, isOn, positionS, Progress, ringingAt, type Playing } from '../src/music/timeline.ts';
import { adapted, QUALITIES, START } from '../src/stage/quality.ts';
import { Simulation, STRIDE } from '../src/stage/simulation.ts';

test('an address says where to go as whom, and its token is in no query', () => {
  const address = read('http://here/?universe=u-1&name=%20Ann%20#token=a.b.c');
  assert.deepEqual(address, { universe: 'u-1', name: 'Ann', token: 'a.b.c' });
  assert.deepEqual(read('http://here/?universe=no%20id'), { universe: undefined, name: undefined, token: undefined });
});

test('a universe is named by its id or by a link to it', () => {
  assert.equal(universeIn(' universe-123 '), 'universe-123');
  assert.equal(universeIn(linkTo('http://here', 'u_1')), 'u_1');
  assert.equal(universeIn('http://here/'), undefined);
  assert.equal(nameIn('x'.repeat(70))?.length, 64);
  assert.equal(nameIn('  '), undefined);
});

test('what a hand shows is read with care', () => {
  assert.deepEqual(readHand({ hue: 400, at: [0.5, 1], holds: 'physics.gravity', pulls: true }), {
    hue: 40,
    at: [0.5, 1],
    holds: 'physics.gravity',
    pulls: true,
  });
  assert.deepEqual(readHand({ hue: 'red;', at: [2, 0], holds: 3, pulls: 'yes' }), {});
  assert.deepEqual(readHand(null), {});
});

test('two people have colours that can be told apart', () => {
  const hue = freeHue(28, [28, undefined]);
  assert.ok(Math.abs(hue - 28) >= 24);
  assert.equal(freeHue(28, [200]), 28);
  assert.equal(hueOf('ann'), hueOf('ann'));
});

test('the names on hands can be read, whatever their colour', () => {
  const style = readFileSync(new URL('../src/style.css', import.meta.url), 'utf8');
  const [light, ground] = ['--hand-label-light', '--ground'].map(name => [...style.matchAll(new RegExp(`${name}: (.*);`, 'g'))].map(found => found[1] ?? ''));
  for (const [theme, hex] of ground?.entries() ?? []) {
    const behind = luminance([1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16) / 255));
    for (let hue = 0; hue < 360; hue += 5) {
      const label = luminance(rgb(hue, 0.85, parseFloat(light?.[theme] ?? '') / 100));
      const contrast = (Math.max(label, behind) + 0.05) / (Math.min(label, behind) + 0.05);
      assert.ok(contrast >= 4.5, `${hue} degrees on ${hex}: ${contrast}`);
    }
  }
});

// WCAG's relative luminance, and the colours of CSS's `hsl`.
function luminance(channels: number[]): number {
  const [red = 0, green = 0, blue = 0] = channels.map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function rgb(hue: number, saturation: number, light: number): number[] {
  const part = saturation * Math.min(light, 1 - light);
  return [0, 8, 4].map(shift => {
    const k = (shift + hue / 30) % 12;
    return light - part * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  });
}

test('a scheme may have any name', () => {
  for (const scheme of ['rainbow', 'nobody knows it', 'constructor', 'toString', '__proto__']) {
    const palette = paletteOf(scheme);
    for (const part of [palette.base, palette.range, palette.frequency, palette.phase]) assert.equal(part.length, 3);
  }
});

test('who moves a field is known by its preview', () => {
  const previews = { ann: { music: { tempo: 90 } }, ben: { physics: { gravity: 3 } } };
  assert.deepEqual(moverOf(previews, 'physics', 'gravity'), ['ben', 3]);
  assert.equal(moverOf(previews, 'physics', 'friction'), undefined);
});

test('every refusal has a title, and some a remedy', () => {
  assert.equal(explain({ code: 'ROOM_FULL', message: '' }).remedy, 'again');
  assert.equal(explain({ code: 'AUTH_ERROR', reason: 'EXPIRED', message: '' }).remedy, 'token');
  assert.equal(explain({ code: 'INTERNAL_ERROR', message: 'Something failed' }).text, 'Something failed.');
  assert.equal(secondsUntil(1001, 0), 2);
  assert.equal(secondsUntil(0, 1000), 1);
  assert.deepEqual([counted(1, 'note'), counted(38, 'note')], ['1 note', '38 notes']);
});

test('a scheme that is not known has colours of its own', () => {
  assert.deepEqual(paletteOf('mine'), paletteOf('mine'));
  assert.notDeepEqual(paletteOf('mine'), paletteOf('yours'));
});

test('a spectrum is sent as few numbers from 0 to 1', () => {
  const bands = bandsOf(new Uint8Array(1024).fill(255));
  assert.equal(bands.length, 40);
  assert.ok(bands.every(band => band === 1));
  const samples = samplesOf(Uint8Array.from({ length: 2048 }, (_, index) => (index % 2 ? 0 : 128)));
  assert.equal(samples.length, 64);
  assert.ok(samples.every(sample => sample === 0));
});

test('notes are handed over once each, whatever the pieces of time', () => {
  const notes = [0, 0, 0.5, 1, 1.5, 2].map(startTime => ({ pitch: 60, duration: 0.5, velocity: 80, startTime }));
  const cuts = [0, 0.5, 0.5, 1.2, 9];
  const heard = cuts.slice(1).flatMap((to, index) => beginning(notes, cuts[index] ?? 0, to));
  assert.deepEqual(heard, notes);
});

test('a piece is on from before its beginning to after its end', () => {
  const playing: Playing = { section: { duration: 8, notes: [] } as never, startMs: 1000 };
  assert.equal(positionS(playing, 500), -0.5);
  assert.deepEqual([0, 5000, 9300, 9500].map(nowMs => isOn(playing, nowMs)), [true, true, true, false]);
  assert.equal(isOn(undefined, 0), false);
});

test('each piece of time of a section comes once, and a section that is forgotten begins anew', () => {
  const progress = new Progress();
  const section = { notes: [] } as never;
  assert.ok(progress.isNew(section));
  const pieces = [[1, 0], [1.5, 0], [1.2, 0], [2, 0]].map(([toS = 0, firstS = 0]) => progress.advance(section, toS, firstS));
  assert.deepEqual(pieces, [[0, 1], [1, 1.5], [1.5, 1.5], [1.5, 2]]);
  progress.keep([{ section, startMs: 0 }]);
  assert.ok(!progress.isNew(section));
  progress.keep([]);
  assert.deepEqual(progress.advance(section, 3, 2), [2, 3]);
});

test('who comes in the middle of a bar hears the rest of the notes that ring', () => {
  const note = (startTime: number, duration: number) => ({ pitch: 60, velocity: 80, startTime, duration });
  const left = ringingAt([note(0, 2), note(0, 0.5), note(0.9, 0.2), note(1, 1)], 0, 1, 0.25);
  assert.deepEqual(left, [{ ...note(1, 1) }]);
});

test('the audio clock is where it was seen farthest, and begins anew after it stood still', () => {
  const time = new AudioTime();
  for (const [contextS, nowMs] of [[1, 2000], [1, 2010], [1.02, 2020]] as const) time.sample(contextS, nowMs);
  assert.equal(time.at(3000), 2);
  time.sample(1.02, 2500);
  assert.ok(Math.abs(time.at(3000) - 1.52) < 1e-9);
  for (let step = 1; step <= 100; step += 1) time.sample(1.02 + step * 0.1 - 0.01, 2500 + step * 100);
  assert.ok(Math.abs(time.at(3000) - 1.51) < 1e-9, 'what was seen long ago counts no more');
});

test('each note is handed over once and in time, and anew from where it is after a restart', () => {
  const notes = [0, 1, 2, 3].map(startTime => ({ pitch: 60 + startTime, duration: 0.5, velocity: 80, startTime }));
  const section = { notes, duration: 4, drums: [{ key: 36, velocity: 80, startTime: 2 }] } as never;
  const handed: [number, number][] = [];
  const orchestra = {
    context: { currentTime: 10, state: 'running' },
    note: ({ pitch }: { pitch: number }, _: unknown, atS: number) => handed.push([pitch, atS]),
    stroke: ({ key }: { key: number }, atS: number) => handed.push([key, atS]),
    silence: () => handed.push([0, 0]),
  };
  const handOver = new HandOver(orchestra as never);
  const advance = (nowMs: number) => {
    orchestra.context.currentTime = 10 + nowMs / 1000;
    handOver.advance([{ section, startMs: 1000 }], nowMs);
  };
  for (const nowMs of [0, 500, 600, 700]) advance(nowMs);
  assert.deepEqual(handed, [[60, 11], [61, 12]]);
  advance(2700);
  assert.deepEqual(handed.splice(0), [[60, 11], [61, 12], [62, 13], [63, 14], [36, 13]]);
  handOver.restart();
  advance(3200);
  // What rings goes on, and what was handed over before comes again.
  assert.deepEqual(handed.map(([what]) => what), [0, 62, 63]);
  assert.equal(handed[2]?.[1], 14);
  // A context that stands still is given nothing, and what it was given is taken back.
  handed.splice(0);
  orchestra.context.state = 'suspended';
  for (const nowMs of [3300, 3400]) advance(nowMs);
  assert.ok(handed.every(([what]) => what === 0) && handed.length > 0);
  handed.splice(0);
  orchestra.context.state = 'running';
  advance(3500);
  assert.deepEqual(handed, [[63, 14]]);
});

test('after a pause of the page, notes that are over are left out, and those that ring go on', () => {
  const notes = [0, 2, 3, 4].map(startTime => ({ pitch: 60 + startTime, duration: startTime === 3 ? 2 : 0.5, velocity: 80, startTime }));
  const section = { notes, duration: 6, drums: [2.5, 4.5].map(startTime => ({ key: 36, velocity: 80, startTime })) } as never;
  const handed: [number, number][] = [];
  const orchestra = {
    context: { currentTime: 0, state: 'running' },
    note: ({ pitch }: { pitch: number }, _: unknown, atS: number) => handed.push([pitch, atS]),
    stroke: ({ key }: { key: number }, atS: number) => handed.push([key, atS]),
  };
  const handOver = new HandOver(orchestra as never);
  for (const nowMs of [0, 4000]) {
    orchestra.context.currentTime = nowMs / 1000;
    handOver.advance([{ section, startMs: 0 }], nowMs);
  }
  assert.deepEqual(handed, [[60, 0], [63, 4], [64, 4], [36, 4.5]]);
});

test('a source is stopped when it is disconnected from everything, and not before', () => {
  const done: string[] = [];
  const node = {
    offset: 1,
    stop: () => void done.push('stop'),
    disconnect: (...from: unknown[]) => void done.push(`disconnect ${from.length}`),
  };
  const source = stoppedOnRelease(node);
  assert.equal(source, node);
  source.disconnect({}, 0);
  assert.deepEqual(done.splice(0), ['disconnect 2']);
  source.disconnect();
  assert.deepEqual(done, ['disconnect 0', 'stop']);
});

test('who leaves while the instruments are loaded has no orchestra', async () => {
  const player = new Player({} as never);
  const unlocked = player.unlock();
  player.close();
  await unlocked;
  assert.equal(player.orchestra, undefined);
  assert.equal(player.state.getSnapshot().sound, 'waiting');
});

const barOf = (bar: number, more = {}) =>
  ({ streamId: 's', bar, notes: [{ pitch: 60 + bar, startTime: 0, duration: 1, velocity: 80 }], asOf: 5, ...more }) as never;

test('the bars of one piece are kept in their order, each once, and its roll never shrinks', () => {
  let endless: Endless | undefined;
  for (const bar of [1, 0, 1, 30]) endless = withBar(endless, barOf(bar), ({ bar: number }) => number < 0);
  assert.deepEqual(endless?.bars.map(({ bar }) => bar), [0, 1, 30]);
  endless = withBar(endless, barOf(2), ({ bar }) => bar === 30);
  assert.deepEqual(endless.bars.map(({ bar }) => bar), [0, 1, 2]);
  assert.equal(endless.pitches.high, 92);
  endless = withBar(endless, barOf(0, { streamId: 't' }), () => false);
  assert.deepEqual(endless.bars.map(({ bar }) => bar), [0]);
  assert.equal(endless.pitches.high, 79);
  for (let bar = 0; bar < 40; bar += 1) endless = withBar(endless, barOf(bar), () => false);
  assert.equal(endless.bars.length, 16);
});

test('the bar after the last one is known as it is foreseen, and played on from where it has come', () => {
  const at = (bar: number, startsAt: string) => barOf(bar, { startsAt, duration: 2, key: 'C', forecast: { duration: 1, notes: [] } });
  const first = withBar(undefined, at(3, '2026-01-01T00:00:00.000Z'), () => false);
  const { forecast } = first;
  assert.deepEqual([forecast?.bar, forecast?.startsAt, forecast?.duration], [4, '2026-01-01T00:00:02.000Z', 1]);
  assert.equal(withBar(first, at(2, '2025-12-31T23:59:58.000Z'), () => false).forecast, forecast);
  assert.equal(withBar(first, at(4, '2026-01-01T00:00:02.000Z'), () => false).forecast?.bar, 5);
  const later = withBar(first, at(5, '2026-01-01T00:00:03.000Z'), () => false);
  assert.deepEqual(later.bars[1], forecast, 'it goes on where a later bar comes first');
  const own = at(4, '2026-01-01T00:00:02.000Z');
  assert.deepEqual(withBar(later, own, () => false).bars.map(one => one === own), [false, true, false]);
  const progress = new Progress();
  const [foreseen, bar] = [{ notes: [] } as never, { notes: [] } as never];
  progress.replace(foreseen, bar);
  assert.ok(progress.isNew(bar));
  progress.advance(foreseen, 1.5, 0);
  progress.replace(foreseen, bar);
  assert.deepEqual(progress.advance(bar, 2, 0), [1.5, 2]);
});

test('a move is heard from the first bar that follows it, and the last of one hand counts', () => {
  const move = (seq: number, what: string) => ({ seq, userId: 'ann', fields: 'tempo', what });
  let moves = withMove(withMove([], move(6, 'tempo 90 bpm')), move(7, 'tempo 91 bpm'));
  assert.deepEqual(moves.map(({ what }) => what), ['tempo 91 bpm']);
  moves = heardIn(moves, barOf(3, { asOf: 6 }));
  assert.equal(moves[0]?.bar, undefined);
  moves = heardIn(heardIn(moves, barOf(4, { asOf: 7 })), barOf(5, { asOf: 7 }));
  assert.equal(moves[0]?.bar, 4);
  assert.equal(withMove(moves, move(8, 'tempo 92 bpm')).length, 2);
  for (let seq = 9; seq < 20; seq += 1) moves = withMove(moves, { ...move(seq, ''), fields: `${seq}` });
  assert.equal(moves.length, 4);
});

test('a machine that is too slow draws less at once, and more after a long good time', () => {
  const fps = QUALITIES[START.index]?.framesPerS ?? 0;
  const slow = adapted(START, { elapsedMs: 1000, frames: fps / 3, workMs: 10 });
  assert.equal(slow.index, START.index + 1);
  const busy = adapted(START, { elapsedMs: 1000, frames: fps, workMs: 600 });
  assert.equal(busy.index, START.index + 1);
  let level = slow;
  let seconds = 0;
  while (level.index === slow.index) {
    const frames = QUALITIES[level.index]?.framesPerS ?? 0;
    level = adapted(level, { elapsedMs: 1000, frames, workMs: 20 });
    seconds += 1;
  }
  assert.equal(level.index, START.index);
  assert.ok(seconds >= 10);
  let worst = START;
  for (let step = 0; step < 20; step += 1) worst = adapted(worst, { elapsedMs: 1000, frames: 0, workMs: 900 });
  assert.equal(worst.index, QUALITIES.length - 1);
});

const PHYSICS = { gravity: 9.81, friction: 0.5, elasticity: 0.7, airResistance: 0.1, timeScale: 1 };
const seeded = () => {
  let state = 1;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
};
function heights(physics: typeof PHYSICS, seconds: number): number[] {
  const simulation = new Simulation(500, seeded());
  for (let frame = 0; frame < seconds * 30; frame += 1) simulation.advance(1 / 30, 500, physics, 0.3, []);
  return Array.from({ length: 500 }, (_, index) => simulation.states[index * STRIDE + 1] ?? NaN);
}
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('particles stay on the stage, whatever the physics', () => {
  for (const gravity of [0, 20]) {
    for (const elasticity of [0, 1]) {
      for (const timeScale of [0.1, 5]) {
        const all = heights({ ...PHYSICS, gravity, elasticity, timeScale }, 5);
        assert.ok(all.every(height => height >= 0 && height <= 1), `${gravity} ${elasticity} ${timeScale}`);
      }
    }
  }
});

test('they are lower where gravity is stronger', () => {
  assert.ok(mean(heights({ ...PHYSICS, gravity: 20 }, 10)) < mean(heights({ ...PHYSICS, gravity: 2 }, 10)) - 0.1);
});

test('a burst throws up what is near, and a hand draws to itself', () => {
  const simulation = new Simulation(500, seeded());
  simulation.resize(2);
  simulation.burst(0.5, 1, 500);
  const hot = Array.from({ length: 500 }, (_, index) => index).filter(index => (simulation.states[index * STRIDE + 2] ?? 0) > 0);
  assert.ok(hot.length > 5 && hot.length < 100);
  assert.ok(hot.every(index => Math.abs((simulation.states[index * STRIDE] ?? 0) - 1) <= 0.07 * 1.01));

  const near = (of: Simulation) =>
    Array.from({ length: 500 }, (_, i) => Math.hypot((of.states[i * STRIDE] ?? 0) - 1, (of.states[i * STRIDE + 1] ?? 0) - 0.5)).filter(
      distance => distance < 0.3,
    ).length;
  const [pulled, free] = [new Simulation(500, seeded()), new Simulation(500, seeded())];
  for (const one of [pulled, free]) one.resize(2);
  for (let frame = 0; frame < 60; frame += 1) {
    pulled.advance(1 / 30, 500, PHYSICS, 0.3, [{ x: 0.5, y: 0.5 }]);
    free.advance(1 / 30, 500, PHYSICS, 0.3, []);
  }
  assert.ok(near(pulled) > near(free));
});

test('every numeric parameter has a slider that is named by its words', () => {
  assert.equal(words('rhythmComplexity'), 'rhythm complexity');
  const specs = [...slidersOf('physics'), ...slidersOf('music'), ...slidersOf('visualization')];
  assert.equal(specs.length, 14);
  for (const { min, max, step } of specs) assert.ok(step > 0 && (max - min) / step >= 40);
  const [gravity] = slidersOf('physics');
  assert.equal(gravity && written(gravity, 9.81), '9.8 m/s²');
});

test('there are twelve keys, and each value of the protocol is one of them', () => {
  assert.equal(new Set(KEY_OPTIONS.map(({ label }) => label)).size, 12);
  const values = KEY_OPTIONS.map(({ value }) => value);
  for (const key of PARAMETERS.music.key.options ?? []) assert.ok(values.includes(keyOption(key)), key);
  assert.equal(keyOption('D#'), 'Eb');
  assert.equal(keyOption('Cb'), 'B');
  assert.equal(keyOption('B#'), 'C');
  assert.equal(keyOption('E#'), 'F');
});

test('each scale has one name', () => {
  const values = SCALE_OPTIONS.map(({ value }) => value);
  for (const scale of PARAMETERS.music.scale.options ?? []) assert.ok(values.includes(scaleOption(scale)), scale);
  assert.equal(new Set(values).size, 14);
  assert.equal(scaleOption('aeolian'), scaleOption('natural_minor'));
});

test('a value that somebody else has chosen is an option', () => {
  assert.equal(withValue(KEY_OPTIONS, 'C'), KEY_OPTIONS);
  assert.equal(withValue([], 'mine').length, 1);
});
