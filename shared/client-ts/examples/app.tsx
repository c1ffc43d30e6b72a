// An application: sliders for all parameters, participants, music, and what the connection is like.
import { useEffect, useState } from 'react';
import { PARAMETERS, type Changes, type Client, type Universe } from '@harmonic-universe/client';
import type { MusicGenerated, ParameterRange } from '@harmonic-universe/client';
import { useClient, useUniverse } from '@harmonic-universe/client/react';

type Value = number | string;
type ControlProps = { universe: Universe; set: string; field: string; range: ParameterRange; value: Value };
const words = (name: string) => name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`);

function Control({ universe, set, field, range, value }: ControlProps) {
  const { min, max = 1, whole, options } = range;
  const changes = (next: Value) => ({ [set]: { [field]: next } }) as Changes;
  const change = (next: Value) => universe.set(changes(next)).catch(() => undefined);
  const named = { 'aria-label': words(field), value };
  if (options) {
    const choices = options.map(one => <option key={one}>{one}</option>);
    return <select {...named} onChange={event => change(event.target.value)}>{choices}</select>;
  }
  if (min === undefined) return <input {...named} onChange={event => change(event.target.value)} />;
  const step = whole ? 1 : (max - min) / 200;
  const preview = (next: number) => universe.preview(changes(next));
  const done = () => change(value);
  const slider = { type: 'range', min, max, step, onPointerUp: done, onKeyUp: done };
  return <input {...named} {...slider} onChange={event => preview(Number(event.target.value))} />;
}

export function App({ client, id }: { client: Client; id: string }) {
  const { quality } = useClient(client);
  const { universe, status, parameters, participants, previews, error } = useUniverse(client, id);
  const [piece, setPiece] = useState<MusicGenerated>();
  useEffect(() => universe.on('music_generated', setPiece), [universe]);
  const controls = Object.entries(parameters ?? {}).flatMap(([set, values]) =>
    Object.entries(PARAMETERS[set as keyof Changes]).map(([field, range]) => {
      const value = (values as Record<string, Value>)[field] ?? range.default;
      return <Control key={field} {...{ universe, set, field, range, value }} />;
    }),
  );
  const people = participants.map(({ userId, username }) => (
    <li key={userId}>{previews[userId] ? `${username} is moving something` : username}</li>
  ));
  const generate = () => universe.generate({ duration: 8 }).catch(() => undefined);
  return (
    <main>
      <p role="status">{`${status}, connection ${quality}`}</p>
      {error && <p role="alert">{error.message}</p>}
      <ul>{people}</ul>
      {controls}
      <button onClick={generate}>Generate music</button>
      {piece && <p>{`${piece.notes.length} notes`}</p>}
    </main>
  );
}
