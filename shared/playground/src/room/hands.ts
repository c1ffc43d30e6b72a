// What participants show of their hands, as it is sent and read. Pure.
import type { Changes, SetName } from '@harmonic-universe/client';
import { valueOf } from '../parameters.ts';

/** A hand: its colour, the slider that it holds, and where it is on the stage, from 0 to 1. */
export interface OwnHand {
  readonly hue?: number | undefined;
  readonly holds?: string | undefined;
  readonly at?: readonly [number, number] | undefined;
  readonly pulls?: boolean | undefined;
}

/** Hues are chosen so far from those of others, in degrees. */
const NEAR_DEGREES = 24;
const STEP_DEGREES = 47;

/** A hand as somebody shows it: whatever does not fit is left out. */
export function readHand(state: unknown): OwnHand {
  if (typeof state !== 'object' || state === null) return {};
  const { hue, holds, at, pulls } = state as Record<string, unknown>;
  const isPlace = Array.isArray(at) && at.length === 2 && at.every(part => typeof part === 'number' && part >= 0 && part <= 1);
  return {
    ...(typeof hue === 'number' && Number.isFinite(hue) && { hue: ((hue % 360) + 360) % 360 }),
    ...(typeof holds === 'string' && { holds }),
    ...(isPlace && { at: at as unknown as readonly [number, number] }),
    ...(pulls === true && { pulls }),
  };
}

/** The hue that one would like, or the next that nobody near it has. */
export function freeHue(liked: number, taken: readonly (number | undefined)[]): number {
  const isTaken = (hue: number) =>
    taken.some(other => other !== undefined && Math.abs(((hue - other + 540) % 360) - 180) < NEAR_DEGREES);
  for (let step = 0; step < 360 / STEP_DEGREES; step += 1) {
    const hue = (liked + step * STEP_DEGREES) % 360;
    if (!isTaken(hue)) return hue;
  }
  return liked;
}

/** Who moves a field just now, and to what: the first of them. */
export function moverOf(
  previews: Readonly<Record<string, Changes>>,
  set: SetName,
  field: string,
): readonly [userId: string, value: number] | undefined {
  for (const [userId, changes] of Object.entries(previews)) {
    const value = valueOf(changes, set, field);
    if (typeof value === 'number') return [userId, value];
  }
  return undefined;
}
