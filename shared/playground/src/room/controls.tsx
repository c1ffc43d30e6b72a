// Sliders and choices of a universe's parameters, with others' hands on them.
import type { SetName, UniverseState } from '@harmonic-universe/client';
import { useState } from 'preact/hooks';
import { SCHEME_OPTIONS } from '../palettes.ts';
import {
  changeOf,
  KEY_OPTIONS,
  keyOption,
  SCALE_OPTIONS,
  scaleOption,
  slidersOf,
  valueOf,
  withValue,
  words,
  written,
  type Option,
  type SliderSpec,
} from '../parameters.ts';
import { useWatched } from '../watched.ts';
import { moverOf, readHand } from './hands.ts';
import type { Room } from './room.ts';

const TITLES = { physics: 'Physics', music: 'Music', visualization: 'Visualization' } as const;

interface ChoiceSpec {
  readonly set: SetName;
  readonly field: string;
  readonly options: readonly Option[];
  /** The option that stands for a value. */
  readonly option: (value: string) => string;
}

const CHOICES: readonly ChoiceSpec[] = [
  { set: 'music', field: 'key', options: KEY_OPTIONS, option: keyOption },
  { set: 'music', field: 'scale', options: SCALE_OPTIONS, option: scaleOption },
  { set: 'visualization', field: 'colorScheme', options: SCHEME_OPTIONS, option: value => value },
];

/** All controls of a parameter set. */
export function Controls({ room, set }: { room: Room; set: SetName }) {
  const isOff = useWatched(room.universe, ({ mode, status }) => mode !== 'edit' || status === 'refused');
  return (
    <section class="group" aria-labelledby={`${set}-title`}>
      <h2 id={`${set}-title`}>{TITLES[set]}</h2>
      {CHOICES.filter(choice => choice.set === set).map(choice => (
        <Choice key={choice.field} room={room} choice={choice} isOff={isOff} />
      ))}
      {slidersOf(set).map(spec => (
        <Slider key={spec.field} room={room} spec={spec} isOff={isOff} />
      ))}
    </section>
  );
}

function Choice({ room, choice, isOff }: { room: Room; choice: ChoiceSpec; isOff: boolean }) {
  const { set, field, options, option } = choice;
  const value = useWatched(room.universe, ({ parameters }) => option(String(valueOf(parameters, set, field) ?? '')));
  return (
    <label class="choice">
      <span>{words(field)}</span>
      <select
        value={value}
        disabled={isOff}
        onChange={event => void room.universe.set(changeOf(set, field, event.currentTarget.value)).catch(() => undefined)}
      >
        {withValue(options, value).map(each => (
          <option key={each.value} value={each.value}>
            {each.label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Who else has a hand on a slider: its user, its name, and to what it moves it, if it does. */
function handOn(state: UniverseState, spec: SliderSpec, me: string | undefined): readonly [string, string, number?] | readonly [] {
  const nameOf = (userId: string) => state.participants.find(one => one.userId === userId)?.username ?? 'somebody';
  const moved = moverOf(state.previews, spec.set, spec.field);
  if (moved) return [moved[0], nameOf(moved[0]), moved[1]];
  const place = `${spec.set}.${spec.field}`;
  for (const [userId, shown] of Object.entries(state.presences)) {
    if (userId !== me && readHand(shown).holds === place) return [userId, nameOf(userId)];
  }
  return [];
}

function Slider({ room, spec, isOff }: { room: Room; spec: SliderSpec; isOff: boolean }) {
  const { universe, client } = room;
  const { set, field, min, max, step } = spec;
  const [held, setHeld] = useState<number>();
  const own = useWatched(universe, ({ parameters }) => Number(valueOf(parameters, set, field) ?? min));
  const [userId, name, moved] = useWatched(universe, state => handOn(state, spec, client.userId));
  // What somebody else tries out is shown, but under one's own hand: that is where the hand is,
  // whatever the connection is like.
  const value = held ?? moved ?? own;
  const id = `${set}-${field}`;

  const take = () => room.hold({ holds: `${set}.${field}` });
  const preview = (next: number) => {
    take();
    setHeld(next);
    universe.preview(changeOf(set, field, next));
  };
  const release = () => {
    room.hold({ holds: undefined });
    setHeld(undefined);
  };
  const commit = (next: number) => {
    universe.set(changeOf(set, field, next)).catch(() => undefined);
    release();
  };
  // Let go where it was taken: nothing is to be stored, and nothing is tried out any more.
  const letGo = () => {
    if (held !== undefined) universe.preview({});
    release();
  };
  const part = (value - min) / (max - min);
  return (
    <div class={userId === undefined ? 'slider' : 'slider touched'} style={{ '--part': part, '--hue': userId === undefined ? 0 : room.hue(userId) }}>
      <label for={id}>{words(field)}</label>
      <output for={id}>{written(spec, value)}</output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        disabled={isOff}
        aria-valuetext={written(spec, value)}
        onPointerDown={take}
        onInput={event => preview(event.currentTarget.valueAsNumber)}
        onChange={event => commit(event.currentTarget.valueAsNumber)}
        onBlur={letGo}
        onPointerCancel={letGo}
        // After `change`, which comes only where the value is another one.
        onClick={letGo}
      />
      {name !== undefined && <span class="hand" aria-hidden="true">{name}</span>}
    </div>
  );
}
