// The piano roll: notes that move past the line where they sound.
import type { Note } from '@harmonic-universe/client';
import { positionS, quartersInBar, type PitchRange, type Playing, type Section } from './timeline.ts';

/** What stands at a bar line: who moved something that is heard from there on. */
export interface Flag {
  readonly text: string;
  readonly hue: number;
}

/** How a roll is drawn. */
export interface RollView {
  readonly width: number;
  readonly height: number;
  readonly isDark: boolean;
  readonly nowMs: number;
  readonly pitches: PitchRange;
  /** Without motion, the notes stand and the line moves. */
  readonly isStill: boolean;
  /** What stands at the beginning of a section. */
  flags(section: Section): readonly Flag[];
}

/** Which seconds are shown, relative to the present. */
interface Span {
  readonly fromS: number;
  readonly shownS: number;
}

const SHOWN_S = 8;
const LINE_PART = 0.22;
const DRUM_LANE = 14;
const FLAG_HEIGHT = 15;
const HUES: ReadonlyMap<string, number> = new Map(Object.entries({ melody: 335, counter: 265, pads: 195, bass: 40 }));

/** Draw the notes around the present, as far as their bars have come. */
export function drawRoll(context: CanvasRenderingContext2D, playing: readonly Playing[], view: RollView): void {
  const { width, height, isDark, nowMs, pitches } = view;
  const { fromS, shownS } = view.isStill ? still(playing, nowMs) : { fromS: -SHOWN_S * LINE_PART, shownS: SHOWN_S };
  const left = (atS: number) => ((atS - fromS) / shownS) * width;
  const lane = playing.some(({ section }) => section.drums?.length) ? DRUM_LANE : 4;
  const row = (height - lane - 6) / (pitches.high - pitches.low + 1);
  context.clearRect(0, 0, width, height);
  for (const one of playing) {
    const atS = positionS(one, nowMs);
    // Notes ring beyond the end of their bar.
    if (-atS > fromS + shownS || -atS + 2 * one.section.duration < fromS) continue;
    context.fillStyle = isDark ? 'rgb(255 255 255 / 0.09)' : 'rgb(40 30 90 / 0.1)';
    for (const lineS of barLines(one.section)) context.fillRect(left(lineS - atS), 0, 1, height);
    for (const note of one.section.notes) {
      const x = left(note.startTime - atS);
      const wide = Math.max(3, left(note.startTime + note.duration - atS) - x - 1.5);
      if (x + wide < 0 || x > width) continue;
      const top = 3 + (pitches.high - note.pitch) * row;
      context.fillStyle = colourOf(note, atS, isDark);
      context.beginPath();
      // A view that is not laid out yet has no height.
      context.roundRect(x, top, wide, Math.max(3.5, row - 1), Math.max(0, Math.min(4, row / 2)));
      context.fill();
    }
    for (const stroke of one.section.drums ?? []) {
      const x = left(stroke.startTime - atS);
      if (x < -4 || x > width + 4) continue;
      const sounds = atS >= stroke.startTime && atS < stroke.startTime + 0.12;
      context.fillStyle = isDark ? `rgb(255 255 255 / ${sounds ? 1 : 0.4})` : `rgb(30 25 70 / ${sounds ? 1 : 0.4})`;
      const size = 2 + (stroke.velocity / 127) * 4;
      context.fillRect(x, height - DRUM_LANE / 2 - size, 3, size * 2);
    }
  }
  for (const one of playing) drawFlags(context, view.flags(one.section), left(-positionS(one, nowMs)), height, isDark);
  context.fillStyle = isDark ? 'rgb(255 255 255 / 0.85)' : 'rgb(40 30 90 / 0.85)';
  context.fillRect(left(0) - 0.75, 0, 1.5, height);
}

/** The seconds shown without motion: a whole piece, or `SHOWN_S` from just before the bar that sounds. */
function still(playing: readonly Playing[], nowMs: number): Span {
  const [first] = playing;
  if (first && !('bar' in first.section)) return { fromS: -positionS(first, nowMs), shownS: Math.max(first.section.duration, 1) };
  const on = playing.findLast(one => positionS(one, nowMs) >= 0) ?? first;
  return { fromS: (on ? -positionS(on, nowMs) : 0) - SHOWN_S * LINE_PART, shownS: SHOWN_S };
}

/** Where bars begin, and the last one ends, in seconds from the beginning. */
function barLines(section: Section): readonly number[] {
  if ('bar' in section) return [0, section.duration];
  const barS = (quartersInBar(section.meter) * 60) / section.tempo;
  return Array.from({ length: Math.floor(section.duration / barS) + 1 }, (_, bar) => bar * barS);
}

function drawFlags(context: CanvasRenderingContext2D, flags: readonly Flag[], x: number, height: number, isDark: boolean): void {
  context.font = '600 11px system-ui, sans-serif';
  for (const [index, { text, hue }] of flags.entries()) {
    context.fillStyle = `hsl(${hue} 85% ${isDark ? 70 : 40}%)`;
    context.fillRect(x, 0, 2, height);
    context.fillRect(x, index * FLAG_HEIGHT, context.measureText(text).width + 12, FLAG_HEIGHT - 1);
    context.fillStyle = isDark ? '#0b0d1a' : '#ffffff';
    context.fillText(text, x + 6, index * FLAG_HEIGHT + 11);
  }
}

function colourOf({ voice = 'melody', startTime, duration, velocity }: Note, positionS: number, isDark: boolean): string {
  const sounds = positionS >= startTime && positionS < startTime + duration;
  const light = isDark ? (sounds ? 80 : 62) : sounds ? 38 : 55;
  const alpha = sounds ? 1 : 0.4 + 0.4 * (velocity / 127);
  return `hsl(${HUES.get(voice) ?? 335} ${sounds ? 100 : 80}% ${light}% / ${alpha})`;
}
