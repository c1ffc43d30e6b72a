// How parameters are named, shown and chosen. Pure.
import type { Changes, Parameters, SetName } from '@harmonic-universe/client';
import { PARAMETERS } from '../../contract/protocol.ts';

/** One numeric parameter, as a slider needs it. */
export interface SliderSpec {
  readonly set: SetName;
  readonly field: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Digits behind the point, as it is written out. */
  readonly digits: number;
  readonly unit: string;
}

/** One value of a choice, and how it is written. */
export interface Option {
  readonly value: string;
  readonly label: string;
}

const UNITS: Readonly<Record<string, string>> = {
  gravity: 'm/s²',
  tempo: 'bpm',
  timeScale: '×',
};
/** Ranges are cut into so many steps where any number is taken. */
const STEPS = 160;
const PITCHES: Readonly<Record<string, number>> = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
/** Of the names of a pitch, the one with the shorter signature as a major key. */
const KEYS = ['C', 'Db', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'] as const;
/** Other names for the same notes. */
const SCALE_ALIASES: Readonly<Record<string, string>> = {
  ionian: 'major',
  aeolian: 'minor',
  natural_minor: 'minor',
  pentatonic: 'major_pentatonic',
  pentatonic_major: 'major_pentatonic',
  pentatonic_minor: 'minor_pentatonic',
  harmonicMinor: 'harmonic_minor',
  melodicMinor: 'melodic_minor',
  majorPentatonic: 'major_pentatonic',
  minorPentatonic: 'minor_pentatonic',
  wholeTone: 'whole_tone',
};

/** The words of a field's name: `airResistance` is "air resistance". */
export function words(field: string): string {
  return field.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`);
}

/** The numeric parameters of a set, in the order of the protocol. */
export function slidersOf(set: SetName): readonly SliderSpec[] {
  return Object.entries(PARAMETERS[set]).flatMap(([field, { min, max, whole }]) => {
    if (min === undefined || max === undefined) return [];
    const coarse = max - min > 2;
    const step = whole ? 100 : coarse ? niceStep((max - min) / STEPS) : 0.01;
    const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
    return [{ set, field, min, max, step, digits, unit: UNITS[field] ?? '' }];
  });
}

/** The largest of 1, 0.5, 0.1, 0.05 and 0.01 that is not above `step`. */
function niceStep(step: number): number {
  return [1, 0.5, 0.1, 0.05].find(nice => nice <= step) ?? 0.01;
}

/** A value as people read it. */
export function written({ digits, unit }: SliderSpec, value: number): string {
  return unit === '' ? value.toFixed(digits) : `${value.toFixed(digits)} ${unit}`;
}

/** The value of a field, of all parameters or of changes. */
export function valueOf(sets: Parameters | Changes | undefined, set: SetName, field: string): unknown {
  return (sets?.[set] as Record<string, unknown> | undefined)?.[field];
}

/** Changes of one field. */
export function changeOf(set: SetName, field: string, value: number | string): Changes {
  return { [set]: { [field]: value } } as Changes;
}

/** A key's pitch class, 0 to 11. */
function pitchOf(key: string): number {
  const accidentals = (key.match(/#/g)?.length ?? 0) - (key.match(/b/g)?.length ?? 0);
  return ((PITCHES[key[0] ?? ''] ?? 0) + accidentals + 12) % 12;
}

/** Twelve keys: one name for each pitch. */
export const KEY_OPTIONS: readonly Option[] = KEYS.map(value => ({ value, label: spelt(value) }));

/** The scales: one name for each. */
export const SCALE_OPTIONS: readonly Option[] = (PARAMETERS.music.scale.options ?? [])
  .filter(value => !(value in SCALE_ALIASES))
  .map(value => ({ value, label: capital(value.replaceAll('_', ' ')) }));

/** Words as they begin a line. */
export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** A key with the signs of notation. */
export function spelt(key: string): string {
  return key.replace('#', '♯').replace('b', '♭');
}

/** The option that has the same pitch as a key. */
export function keyOption(key: string): string {
  return KEYS[pitchOf(key)] ?? 'C';
}

/** The option that has the same notes as a scale. */
export function scaleOption(scale: string): string {
  return SCALE_ALIASES[scale] ?? scale;
}

/** The options, and a value that somebody else has chosen beside them. */
export function withValue(options: readonly Option[], value: string): readonly Option[] {
  return options.some(option => option.value === value) ? options : [...options, { value, label: capital(value) }];
}
