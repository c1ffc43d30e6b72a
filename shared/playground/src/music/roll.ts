// The piano roll: the notes of a piece, moving past the line where they sound.
import type { MusicGenerated, Note } from '@harmonic-universe/client';
import { pitchRange, quartersInBar } from './timeline.ts';

/** How a roll is drawn. */
export interface RollView {
  readonly width: number;
  readonly height: number;
  readonly isDark: boolean;
  /** Where in the piece the line is, in seconds. */
  readonly positionS: number;
  /** Without motion, the notes stand and the line moves. */
  readonly isStill: boolean;
}

const SHOWN_S = 8;
const LINE_PART = 0.22;
const DRUM_LANE = 14;
const HUES: ReadonlyMap<string, number> = new Map(Object.entries({ melody: 335, counter: 265, pads: 195, bass: 40 }));

/** Draw the part of a piece around a position. */
export function drawRoll(context: CanvasRenderingContext2D, piece: MusicGenerated, view: RollView): void {
  const { width, height, isDark, positionS, isStill } = view;
  const shownS = isStill ? Math.max(piece.duration, 1) : SHOWN_S;
  const fromS = isStill ? 0 : positionS - SHOWN_S * LINE_PART;
  const left = (atS: number) => ((atS - fromS) / shownS) * width;
  const lane = piece.drums?.length ? DRUM_LANE : 4;
  const { low, high } = pitchRange(piece.notes);
  const row = (height - lane - 6) / (high - low + 1);
  context.clearRect(0, 0, width, height);
  bars(context, piece, view, left, fromS, fromS + shownS);
  for (const note of piece.notes) {
    if (note.startTime + note.duration < fromS || note.startTime > fromS + shownS) continue;
    const x = left(note.startTime);
    const wide = Math.max(3, left(note.startTime + note.duration) - x - 1.5);
    const top = 3 + (high - note.pitch) * row;
    context.fillStyle = colourOf(note, positionS, isDark);
    context.beginPath();
    // A view that is not laid out yet has no height.
    context.roundRect(x, top, wide, Math.max(3.5, row - 1), Math.max(0, Math.min(4, row / 2)));
    context.fill();
  }
  for (const stroke of piece.drums ?? []) {
    const x = left(stroke.startTime);
    if (x < -4 || x > width + 4) continue;
    const sounds = positionS >= stroke.startTime && positionS < stroke.startTime + 0.12;
    context.fillStyle = isDark ? `rgb(255 255 255 / ${sounds ? 1 : 0.4})` : `rgb(30 25 70 / ${sounds ? 1 : 0.4})`;
    const size = 2 + (stroke.velocity / 127) * 4;
    context.fillRect(x, height - DRUM_LANE / 2 - size, 3, size * 2);
  }
  context.fillStyle = isDark ? 'rgb(255 255 255 / 0.85)' : 'rgb(40 30 90 / 0.85)';
  context.fillRect(left(positionS) - 0.75, 0, 1.5, height);
}

function bars(
  context: CanvasRenderingContext2D,
  piece: MusicGenerated,
  { height, isDark }: RollView,
  left: (atS: number) => number,
  fromS: number,
  toS: number,
): void {
  const barS = (quartersInBar(piece.meter) * 60) / piece.tempo;
  context.fillStyle = isDark ? 'rgb(255 255 255 / 0.09)' : 'rgb(40 30 90 / 0.1)';
  for (let bar = Math.max(0, Math.floor(fromS / barS)); bar * barS <= Math.min(toS, piece.duration); bar += 1) {
    context.fillRect(left(bar * barS), 0, 1, height);
  }
}

function colourOf({ voice = 'melody', startTime, duration, velocity }: Note, positionS: number, isDark: boolean): string {
  const sounds = positionS >= startTime && positionS < startTime + duration;
  const light = isDark ? (sounds ? 80 : 62) : sounds ? 38 : 55;
  const alpha = sounds ? 1 : 0.4 + 0.4 * (velocity / 127);
  return `hsl(${HUES.get(voice) ?? 335} ${sounds ? 100 : 80}% ${light}% / ${alpha})`;
}
