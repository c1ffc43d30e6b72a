// A program in Node: it asks for a piece of music, and saves it as a MIDI file.
//
//   TOKEN=… node compose.ts http://127.0.0.1:8000 universe-123 piece.mid
import { writeFile } from 'node:fs/promises';
import { createClient, RefusedError } from '@harmonic-universe/client';

const [url = 'http://127.0.0.1:8000', id = 'universe-123', file = 'piece.mid'] = process.argv.slice(2);
const token = process.env['TOKEN'] ?? '';
const client = createClient({ url, getToken: () => token });
try {
  const universe = client.universe(id, 'view');
  await universe.joined();
  const { requestId, notes, key, scale } = await universe.generate({ duration: 16 });
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/api/v1/universes/${id}/music/${requestId}.mid`, { headers });
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  console.log(`${file}: ${notes.length} notes in ${key} ${scale}`);
} catch (error) {
  if (!(error instanceof RefusedError)) throw error;
  console.error(`${error.code} ${error.reason ?? ''}: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
