// Official clients that stay in their rooms whatever happens, as an application of a few lines
// does it, and record what they are sent. Run through the harness's bridge to Node.
const members = new Map();
const SETS = {
  physics_updated: 'physics',
  music_updated: 'music',
  visualization_updated: 'visualization',
};
const REPLAYED = new Set([...Object.keys(SETS), 'music_generated']);

// A client that `rejoins` joins its rooms again after a return that was no recovery; another one
// leaves that to the server. The latest frame's number by universe is `seqs`, the latest values by
// universe and set `values`. Drags are numbered by the whole part of the gravity: nobody is shown a
// step of one after its end.
export function open(io, { name, url, token, universes, rejoins, options }) {
  const socket = io(`${url}/ws`, { auth: { token }, forceNew: true, ...options });
  const member = { socket, notes: [], seqs: {}, values: {}, connects: 0, previews: 0 };
  members.set(name, member);
  const joined = new Set();
  let pid;
  const note = (...entry) => member.notes.push([Date.now(), ...entry]);
  socket.on('connect', () => {
    note('connect', socket.recovered ?? null, Boolean(pid));
    pid = socket._pid;
    member.connects += 1;
    if (rejoins && !socket.recovered) joined.clear();
    for (const universeId of universes) {
      if (!joined.has(universeId)) socket.emit('join_room', { universeId, mode: 'view' });
    }
  });
  socket.on('disconnect', reason => note('disconnect', reason));
  socket.on('connect_error', ({ message, data }) => note('connect_error', message, data ?? null));
  socket.onAny((event, data, offset) => {
    const universe = data.universeId;
    if (event === 'room_joined') {
      joined.add(universe);
      member.values[universe] = { ...data.parameters };
      note('room_joined', universe, data.seq, data.fromSeq ?? null);
    } else if (REPLAYED.has(event)) {
      if (event in SETS) (member.values[universe] ??= {})[SETS[event]] = data.parameters;
      if (data.current) return;
      member.seqs[universe] = data.seq;
      note('frame', universe, data.seq, event, data.timestamp, offset ?? null);
    } else if (event === 'parameters_previewed') {
      member.previews += 1;
      const [tried, known] = [data.physics.gravity, member.values[universe]?.physics.gravity];
      if (Math.floor(tried) === Math.floor(known)) note('error', event, data);
    } else if (event === 'state_recovered') {
      note('state_recovered', universe, data.recovered, data.missed);
    } else if (event === 'connect_success') {
      note('connect_success', data.recovered);
    } else if (event === 'error' || event === 'room_error') {
      note('error', event, data);
    }
  });
}

// How far each member has come: the latest frame's number by universe, `null` while it is away.
export function progress() {
  return Object.fromEntries(
    [...members].map(([name, { socket, seqs }]) => [name, socket.connected ? seqs : null]),
  );
}

// How often each was connected, `null` while it is away.
export function connects() {
  return Object.fromEntries(
    [...members].map(([name, { socket, connects }]) => [name, socket.connected ? connects : null]),
  );
}

// How many previews all of them were shown.
export function previews() {
  return [...members.values()].reduce((sum, each) => sum + each.previews, 0);
}

export function pids() {
  return Object.fromEntries([...members].map(([name, { socket }]) => [name, socket._pid ?? null]));
}

// A member's notes from an index on, at most so many.
export function notes(name, start, most) {
  return members.get(name).notes.slice(start, start + most);
}

export function values(name) {
  return members.get(name).values;
}

export function close() {
  for (const { socket } of members.values()) socket.close();
  members.clear();
}
