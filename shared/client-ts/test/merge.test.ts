import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parameters, RoomJoined } from '../../contract/protocol.ts';
import * as merge from '../src/merge.ts';

const parameters: Parameters = {
  physics: { gravity: 9.81, friction: 0.5, elasticity: 0.7, airResistance: 0.1, timeScale: 1 },
  music: { harmony: 0.7, tempo: 120, key: 'C', scale: 'major', rhythmComplexity: 0.5, melodyRange: 0.8 },
  visualization: {
    brightness: 0.8,
    saturation: 0.7,
    complexity: 0.6,
    colorScheme: 'rainbow',
    particleCount: 5000,
    glowIntensity: 0.5,
  },
};
const ann = { userId: 'ann', username: 'Ann', mode: 'edit' } as const;
const ben = { userId: 'ben', username: 'Ben', mode: 'edit' } as const;

function told(seq: number, physics: Partial<Parameters['physics']> = {}): RoomJoined {
  return {
    universeId: 'u',
    timestamp: '2024-03-21T10:30:00.000Z',
    mode: 'edit',
    participants: [ann],
    parameters: { ...parameters, physics: { ...parameters.physics, ...physics } },
    seq,
  };
}

function physicsUpdated(seq: number, userId: string, physics: Partial<Parameters['physics']>): merge.SetUpdated {
  return { userId, seq, changed: Object.keys(physics), parameters: { ...parameters.physics, ...physics } };
}

const gravity = (room: merge.Room) => merge.parametersOf(room).physics.gravity;
const sent = (room: merge.Room, value: number, opId: string) =>
  merge.taken(merge.queued(room, { physics: { gravity: value } }), opId);

test('of changes to the same field the later one counts, and others stay', () => {
  assert.deepEqual(
    merge.combine({ physics: { gravity: 1, friction: 0.2 } }, { physics: { gravity: 2 }, music: { tempo: 90 } }),
    { physics: { gravity: 2, friction: 0.2 }, music: { tempo: 90 } },
  );
});

test('own values are shown before they are sent, while they are, and when they are stored', () => {
  let room = merge.queued(merge.entered(undefined, told(5)), { physics: { gravity: 3 } });
  assert.equal(gravity(room), 3);
  room = merge.taken(room, 'one');
  assert.equal(gravity(room), 3);
  assert.equal(room.waiting, undefined);
  room = merge.acknowledged(room, 'one', 6);
  assert.equal(gravity(room), 3);
  room = merge.updated(room, 'physics', physicsUpdated(6, 'ann', { gravity: 3 }));
  assert.equal(gravity(room), 3);
  assert.deepEqual(room.sent, []);
});

test('what others change below an own value shows when the own one is stored', () => {
  let room = sent(merge.entered(undefined, told(5)), 3, 'one');
  room = merge.updated(room, 'physics', physicsUpdated(6, 'ben', { gravity: 8 }));
  assert.equal(gravity(room), 3);
  room = merge.updated(room, 'physics', physicsUpdated(7, 'ann', { gravity: 3 }));
  room = merge.updated(room, 'physics', physicsUpdated(8, 'ben', { gravity: 4 }));
  room = merge.acknowledged(room, 'one', 7);
  assert.equal(gravity(room), 4);
});

test('a refused operation is undone, and what was asked for since stays', () => {
  let room = sent(merge.entered(undefined, told(5)), 99, 'one');
  room = merge.queued(room, { music: { tempo: 90 } });
  room = merge.dropped(room, 'one');
  assert.equal(gravity(room), 9.81);
  assert.equal(merge.parametersOf(room).music.tempo, 90);
});

test('an operation that waits again lies below what was asked for since', () => {
  let room = merge.taken(
    merge.queued(merge.entered(undefined, told(5)), { physics: { gravity: 3, friction: 0.1 } }),
    'one',
  );
  room = merge.returned(merge.queued(room, { physics: { gravity: 4 } }), 'one');
  assert.deepEqual(room.waiting, { physics: { gravity: 4, friction: 0.1 } });
  assert.deepEqual(room.sent, []);
});

test('each set of an operation is settled by its own frame', () => {
  const changes = { physics: { gravity: 3 }, music: { tempo: 90 } };
  let room = merge.taken(merge.queued(merge.entered(undefined, told(5)), changes), 'one');
  room = merge.acknowledged(room, 'one', 7);
  room = merge.updated(room, 'music', {
    ...physicsUpdated(7, 'ann', {}),
    parameters: { ...parameters.music, tempo: 90 },
  });
  assert.deepEqual(room.sent, [{ opId: 'one', changes: { physics: { gravity: 3 } }, fromSeq: 6 }]);
  room = merge.updated(room, 'physics', physicsUpdated(6, 'ann', { gravity: 3 }));
  assert.deepEqual(room.sent, []);
});

test('older frames, and values told as current, change nothing', () => {
  const room = merge.entered(undefined, told(5));
  assert.equal(merge.updated(room, 'physics', physicsUpdated(5, 'ben', { gravity: 1 })), room);
  const { seq: _, ...current } = physicsUpdated(9, 'ben', { gravity: 1 });
  assert.equal(merge.updated(room, 'physics', { ...current, current: true }), room);
});

test('entering again replaces the state, settles what it holds, and keeps what is under way', () => {
  let room = sent(merge.entered(undefined, told(5)), 3, 'one');
  room = merge.acknowledged(room, 'one', 6);
  room = sent(room, 4, 'two');
  room = merge.queued(room, { physics: { friction: 0.9 } });
  room = merge.arrived(room, ben, 7);
  room = merge.entered(room, told(8, { gravity: 3, friction: 0.2 }));
  assert.deepEqual(room.sent.map(({ opId }) => opId), ['two']);
  assert.deepEqual(room.participants, [ann]);
  assert.equal(gravity(room), 4);
  assert.equal(merge.parametersOf(room).physics.friction, 0.9);
});

test('sets that nothing lies over stay the same objects', () => {
  const room = merge.queued(merge.entered(undefined, told(5)), { physics: { gravity: 3 } });
  assert.equal(merge.parametersOf(room).music, room.committed.music);
});

test('a preview of somebody else is theirs, and ends by their update, by silence, or as they leave', () => {
  let room = merge.arrived(merge.entered(undefined, told(5)), ben, 6);
  room = merge.previewed(room, 'ben', { physics: { gravity: 1, friction: 0.1 } });
  assert.equal(gravity(room), 9.81);
  assert.deepEqual({ ...room.previews }, { ben: { physics: { gravity: 1, friction: 0.1 } } });
  const updated = merge.updated(room, 'physics', physicsUpdated(7, 'ben', { gravity: 1 }));
  assert.deepEqual({ ...updated.previews }, { ben: { physics: { friction: 0.1 } } });
  assert.deepEqual({ ...merge.previewed(room, 'ben', {}).previews }, {});
  assert.deepEqual({ ...merge.left(room, 'ben', 7).previews }, {});
});

test('what one tries out oneself is shown until it is sent as an update', () => {
  let room = merge.trying(merge.entered(undefined, told(5)), { physics: { gravity: 1, friction: 0.1 } });
  assert.equal(gravity(room), 1);
  room = merge.queued(room, { physics: { gravity: 2 } });
  assert.deepEqual(room.tried, { physics: { friction: 0.1 } });
  assert.equal(gravity(room), 2);
  assert.equal(merge.trying(room, {}).tried, undefined);
});

test('participants come, change their mode and leave, and older frames of it are passed over', () => {
  let room = merge.arrived(merge.entered(undefined, told(5)), ben, 6, 'ann');
  room = merge.arrived(room, { ...ben, mode: 'view' }, 7, 'ann');
  assert.deepEqual(room.participants, [ann, { ...ben, mode: 'view' }]);
  assert.equal(room.mode, 'edit');
  assert.equal(merge.left(room, 'ben', 7), room);
  assert.deepEqual(merge.left(room, 'ben', 8).participants, [ann]);
});

test('a lower mode of its own is the mode of this client', () => {
  const room = merge.arrived(merge.entered(undefined, told(5)), { ...ann, mode: 'view' }, 6, 'ann');
  assert.equal(room.mode, 'view');
});

test('what participants show of themselves is there until they leave, and while this client is away', () => {
  let room = merge.arrived(merge.entered(undefined, told(5)), ben, 6);
  room = merge.shown(room, [{ userId: 'ben', state: { x: 1 } }, { userId: 'ann', state: { x: 2 } }]);
  room = merge.shown(room, [{ userId: 'ben', state: { y: 3 } }]);
  assert.deepEqual({ ...room.presences }, { ben: { y: 3 }, ann: { x: 2 } });
  assert.deepEqual({ ...merge.left(room, 'ben', 7).presences }, { ann: { x: 2 } });
  assert.deepEqual({ ...merge.entered(room, told(8)).presences }, { ann: { x: 2 } });
});

test('a user may be called like something that every object has', () => {
  for (const userId of ['constructor', '__proto__', 'hasOwnProperty', 'toString']) {
    const odd = { userId, username: 'Odd', mode: 'edit' } as const;
    const room = merge.entered(undefined, { ...told(5), participants: [ann, odd] });
    assert.equal(room.presences[userId], undefined);
    assert.equal(room.previews[userId], undefined);
    const again = merge.entered(merge.entered(room, told(6)), { ...told(7), participants: [ann, odd] });
    assert.deepEqual(Object.keys(again.presences), []);

    const said = { userId, state: { x: 1 } };
    const shown = merge.previewed(merge.shown(room, [said]), userId, { physics: { gravity: 3 } });
    assert.deepEqual(Object.entries(shown.presences), [[userId, { x: 1 }]]);
    assert.deepEqual(Object.entries(shown.previews), [[userId, { physics: { gravity: 3 } }]]);
    const kept = merge.entered(shown, { ...told(6), participants: [ann, odd] });
    assert.deepEqual(Object.entries(kept.presences), [[userId, { x: 1 }]]);

    const stored = merge.updated(shown, 'physics', physicsUpdated(6, userId, { gravity: 3 }));
    assert.deepEqual(Object.keys(stored.previews), []);
    const gone = merge.left(shown, userId, 6);
    assert.deepEqual([Object.keys(gone.presences), Object.keys(gone.previews)], [[], []]);
  }
});
