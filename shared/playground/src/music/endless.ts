// An endless piece as the page has it: its latest bars, and what was moved before each. Pure.
import type { MusicBar } from '@harmonic-universe/client';
import { pitchRange, type PitchRange } from './timeline.ts';

/** The bars of an endless piece that sound, that are to come, and that were just heard. */
export interface Endless {
  readonly streamId: string;
  /** By their number. */
  readonly bars: readonly MusicBar[];
  /** The bar after the last one, as it will be unless somebody moves something. */
  readonly forecast?: MusicBar | undefined;
  /** The pitches of all bars received: a roll whose rows move with every bar cannot be read. */
  readonly pitches: PitchRange;
}

/** A change that somebody made, and the bar from which on it is heard, once that is known. */
export interface Move {
  readonly seq: number;
  readonly userId: string;
  /** The names of the parameters. */
  readonly fields: string;
  /** What was moved, and to what, in words. */
  readonly what: string;
  readonly bar?: number;
}

const MAX_BARS = 16;
const MAX_MOVES = 4;
const LEAST_PITCHES: PitchRange = { low: 43, high: 79 };

/** The piece with one more bar, and without those that are over. A bar of another piece begins that piece. */
export function withBar(endless: Endless | undefined, bar: MusicBar, isOver: (bar: MusicBar) => boolean): Endless {
  const before = endless?.streamId === bar.streamId ? endless : undefined;
  const { bars, pitches, forecast } = before ?? { bars: [], pitches: LEAST_PITCHES, forecast: undefined };
  // A later bar may come first when a connection is back: the forecast is kept until its own bar comes.
  const foreseen = forecast && forecast.bar < bar.bar ? [forecast] : [];
  const others = [...bars, ...foreseen].filter(other => other.bar !== bar.bar && !isOver(other));
  const kept = [...others, bar].sort((one, another) => one.bar - another.bar).slice(-MAX_BARS);
  const last = kept.at(-1) ?? bar;
  const { low, high } = bar.notes.length ? pitchRange(bar.notes) : pitches;
  return {
    streamId: bar.streamId,
    bars: kept,
    forecast: last === bar || !forecast ? forecastOf(last) : forecast,
    pitches: { low: Math.min(low, pitches.low), high: Math.max(high, pitches.high) },
  };
}

/** The bar after one, if it is as foreseen. */
function forecastOf(bar: MusicBar): MusicBar | undefined {
  const { forecast, startsAt, duration } = bar;
  if (!forecast) return undefined;
  const endsAt = new Date(Date.parse(startsAt) + duration * 1000).toISOString();
  return { ...bar, ...forecast, bar: bar.bar + 1, startsAt: endsAt };
}

/** The moves with one more. It replaces a move of the same parameters by the same user that no bar follows yet. */
export function withMove(moves: readonly Move[], move: Move): readonly Move[] {
  const isSame = ({ userId, fields, bar }: Move) => bar === undefined && userId === move.userId && fields === move.fields;
  return [...moves.filter(other => !isSame(other)), move].slice(-MAX_MOVES);
}

/** The moves, of which those that a bar follows are heard from it on. */
export function heardIn(moves: readonly Move[], { bar, asOf }: MusicBar): readonly Move[] {
  return moves.map(move => (move.bar === undefined && move.seq <= asOf ? { ...move, bar } : move));
}
