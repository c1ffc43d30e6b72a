// Showing the room what one hears.
import { useState } from 'preact/hooks';
import type { Source } from '../music/hearing.ts';
import { useWatched } from '../watched.ts';
import type { Room } from './room.ts';

const SOURCES: readonly (readonly [Source, string])[] = [
  ['nothing', 'Nothing'],
  ['sound', 'What I play'],
  ['microphone', 'My microphone'],
];

export function LiveSound({ room: { hearing, universe } }: { room: Room }) {
  const source = useWatched(hearing.source, state => state);
  const mayEdit = useWatched(universe, ({ mode }) => mode === 'edit');
  const [problem, setProblem] = useState('');
  const choose = async (wanted: Source) => {
    setProblem('');
    try {
      await hearing.listen(wanted);
    } catch {
      setProblem(wanted === 'microphone' ? 'The microphone may not be used here.' : 'There is no sound here.');
    }
  };
  return (
    <section class="group" aria-labelledby="hearing-title">
      <h2 id="hearing-title">Live sound</h2>
      <fieldset class="segments" disabled={!mayEdit}>
        <legend>Show everybody the spectrum of</legend>
        {SOURCES.map(([value, label]) => (
          <label key={value}>
            <input type="radio" name="source" checked={source === value} onChange={() => void choose(value)} />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      <p role="status" class="report">
        {problem}
      </p>
    </section>
  );
}
