// Who moved what of that which the music is made from, and from which bar on that is heard.
import type { EventOf, SetName, Universe } from '@harmonic-universe/client';
import { heardIn, withMove, type Move } from '../music/endless.ts';
import { spelt, slidersOf, words, written } from '../parameters.ts';
import { Cell } from '../watched.ts';

type ParametersMoved = EventOf<'physics_updated'> | EventOf<'music_updated'>;

export class Moves {
  readonly recent = new Cell<readonly Move[]>([]);
  readonly #stops: (() => void)[];

  constructor(universe: Universe) {
    this.#stops = [
      universe.on('physics_updated', event => this.#moved('physics', event)),
      universe.on('music_updated', event => this.#moved('music', event)),
      universe.onBar(bar => this.recent.set(heardIn(this.recent.getSnapshot(), bar))),
      universe.on('music_started', () => this.recent.set([])),
    ];
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #moved(set: SetName, { userId, changed, parameters, seq, current }: ParametersMoved): void {
    if (current || seq === undefined) return;
    const values = parameters as unknown as Readonly<Record<string, unknown>>;
    const what = changed.map(field => `${words(field)} ${valueText(set, field, values[field])}`).join(', ');
    this.recent.set(withMove(this.recent.getSnapshot(), { seq, userId, fields: changed.join(), what }));
  }
}

/** A value as people read it. */
function valueText(set: SetName, field: string, value: unknown): string {
  const slider = slidersOf(set).find(spec => spec.field === field);
  if (slider && typeof value === 'number') return written(slider, value);
  return field === 'key' ? spelt(String(value)) : String(value).replaceAll('_', ' ');
}
