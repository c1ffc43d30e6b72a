// Two people share a universe: `make demo` runs this against the instance of `make run`.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { ask, connect, next, sliders } from './harmonic.mjs';

const { HARMONIC_GATEWAYS, HARMONIC_TOKEN_ANN, HARMONIC_TOKEN_BEN, HARMONIC_MIDI_FILE } = process.env;
const [annsGateway, bensGateway = annsGateway] = HARMONIC_GATEWAYS.split(',');
// Polling, which clients begin with, needs one gateway for all requests; here each has its own.
const options = { transports: ['websocket'] };
const DRAG_MS = 5000;
const DEADLINE_MS = 60000;

setTimeout(() => {
  console.error('The demonstration failed: it took too long.');
  process.exit(1);
}, DEADLINE_MS).unref();

async function api(token, method, path, body) {
  const response = await fetch(`${annsGateway}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return response;
}

// Remember and print all that someone hears.
function listen(name, socket) {
  const heard = [];
  socket.onAny((event, data) => {
    heard.push([event, data]);
    console.log(`${name} hears ${event}: ${summary(event, data)}`);
  });
  return heard;
}

function summary(event, data) {
  if (data.changed) {
    const values = data.changed.map(field => `${field} ${data.parameters[field]}`);
    return `${values.join(', ')} (by ${data.userId})`;
  }
  if (data.notes) return `${data.notes.length} notes in ${data.key} ${data.scale}`;
  if (data.analysis) return `${data.analysis.frequencies.length} frequencies (by ${data.userId})`;
  const { participants = [data.participant ?? data], seq } = data;
  const names = participants.map(one => one.username ?? one.userId).filter(Boolean);
  if (names.length) return `${names.join(' and ')} (seq ${seq})`;
  return event.endsWith('error') ? JSON.stringify(data) : data.universeId;
}

async function main() {
  const { socket: ann } = await connect(annsGateway, () => HARMONIC_TOKEN_ANN, options);
  const { socket: ben, userId: bensId } = await connect(bensGateway, () => HARMONIC_TOKEN_BEN, options);
  try {
    const heard = { ann: listen('ann', ann), ben: listen('ben', ben) };
    // What both hear of an event, which must be the same.
    const both = async (event, fits) => {
      const [anns, bens] = await Promise.all([next(ann, event, fits), next(ben, event, fits)]);
      assert.deepEqual(anns, bens, `ann and ben heard different things of ${event}`);
      return anns;
    };

    console.log(`# Ann, at ${annsGateway}, makes a universe and lets Ben, at ${bensGateway}, edit it.`);
    const created = await api(HARMONIC_TOKEN_ANN, 'POST', '/universes', { name: 'Demonstration' });
    const { id: universeId } = await created.json();
    const path = `/universes/${universeId}`;
    await api(HARMONIC_TOKEN_ANN, 'PUT', `${path}/members/${bensId}`, { role: 'edit' });

    await ask(ann, 'join_room', { universeId, mode: 'edit' });
    const annHearsOfBen = next(ann, 'participant_joined', data => data.participant.userId === bensId);
    await ask(ben, 'join_room', { universeId, mode: 'edit' });
    await annHearsOfBen;

    console.log('# Each changes parameters: all of them come, with the one who changed them.');
    for (const [socket, set, parameters] of [
      [ann, 'physics', { gravity: 3.7, friction: 0.2 }],
      [ben, 'music', { tempo: 96, key: 'D', scale: 'dorian' }],
      [ann, 'visualization', { colorScheme: 'ocean', particleCount: 8000 }],
    ]) {
      const updated = both(`${set}_updated`);
      await ask(socket, `update_${set}`, { universeId, parameters });
      assert.deepEqual({ ...(await updated).parameters, ...parameters }, (await updated).parameters);
    }

    console.log('# Ben drags a slider: few updates are sent, and the last is where he let go.');
    const before = heard.ann.length;
    const slider = sliders(ben, universeId);
    const letGo = both('music_updated', data => data.parameters.tempo === 180);
    for (let moved = 0; moved <= DRAG_MS; moved += 50) {
      slider.set('music', { tempo: 80 + (100 * moved) / DRAG_MS });
      await sleep(50);
    }
    await slider.settled();
    await letGo;
    const updates = heard.ann.slice(before);
    assert.equal(updates.at(-1)[1].parameters.tempo, 180, 'the slider did not end on its last value');
    assert.ok(updates.length <= 1 + (DRAG_MS + 2000) / 1000, 'more than 60 updates a minute');

    console.log('# Ann asks for music, which both hear; it can be had as a MIDI file, too.');
    const generated = both('music_generated');
    await ask(ann, 'generate_music', { universeId, duration: 8 });
    const { requestId, notes } = await generated;
    assert.ok(notes.length > 0, 'there are no notes');
    const midi = await api(HARMONIC_TOKEN_BEN, 'GET', `${path}/music/${requestId}.mid`);
    await writeFile(HARMONIC_MIDI_FILE, Buffer.from(await midi.arrayBuffer()));

    console.log('# Each shows the other what they hear.');
    for (const [socket, frequencies] of [
      [ann, [-61.5, -38.25, null]],
      [ben, [-20, -30, -40, -50]],
    ]) {
      const analysis = { frequencies, waveform: [0, 0.5, -0.5], timestamp: new Date().toISOString() };
      const analyzed = both('audio_analyzed');
      await ask(socket, 'audio_analysis', { universeId, analysis });
      assert.deepEqual((await analyzed).analysis, analysis);
    }

    console.log('# Ben leaves, then Ann.');
    const annSeesBenLeave = next(ann, 'participant_left', data => data.userId === bensId);
    await ask(ben, 'leave_room', { universeId });
    await annSeesBenLeave;
    await ask(ann, 'leave_room', { universeId });
    await api(HARMONIC_TOKEN_ANN, 'DELETE', path);

    const shared = list => list.filter(([event]) => /_(updated|generated|analyzed)$/.test(event));
    assert.deepEqual(shared(heard.ann), shared(heard.ben), 'they did not hear the same');
    for (const [event] of [...heard.ann, ...heard.ben]) {
      assert.ok(!event.endsWith('error'), `an ${event} came`);
    }
    console.log(`# Both heard the same ${shared(heard.ann).length} events, in the same order.`);
    console.log(`# The music is in ${HARMONIC_MIDI_FILE}.`);
  } finally {
    ann.close();
    ben.close();
  }
}

try {
  await main();
} catch (error) {
  console.error(`The demonstration failed: ${error.message}`);
  process.exitCode = 1;
}
