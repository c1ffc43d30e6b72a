// What is drawn over the particles: what others hear, and where their hands are.

/** A hand that is shown: where from 0 to 1, y pointing up. */
export interface ShownHand {
  readonly name: string;
  readonly hue: number;
  readonly x: number;
  readonly y: number;
  readonly holds: boolean;
}

/** What somebody hears: bands from 0 to 1, the lowest first. */
export interface Heard {
  readonly bands: readonly number[];
  readonly waveform: readonly number[];
  readonly hue: number;
}

const RIDGE_PART = 0.34;
const LABEL_OFFSET = 12;

/** Draw hands and spectra in a context of `width` by `height` of the page's pixels. */
export function drawOverlay(
  context: CanvasRenderingContext2D,
  { width, height }: { width: number; height: number },
  hands: readonly ShownHand[],
  heard: readonly Heard[],
  isDark: boolean,
): void {
  context.clearRect(0, 0, width, height);
  for (const one of heard) ridge(context, width, height, one, isDark);
  for (const hand of hands) drawHand(context, width, height, hand, isDark);
}

/** A spectrum as a ridge along the floor, and the waveform as a line above it. */
function ridge(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  { bands, waveform, hue }: Heard,
  isDark: boolean,
): void {
  const light = isDark ? 68 : 45;
  const step = width / Math.max(1, bands.length - 1);
  context.beginPath();
  context.moveTo(0, height);
  bands.forEach((band, index) => context.lineTo(index * step, height - band * height * RIDGE_PART));
  context.lineTo(width, height);
  context.closePath();
  const fill = context.createLinearGradient(0, height * (1 - RIDGE_PART), 0, height);
  fill.addColorStop(0, `hsl(${hue} 90% ${light}% / 0.5)`);
  fill.addColorStop(1, `hsl(${hue} 90% ${light}% / 0.03)`);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = `hsl(${hue} 95% ${light}% / 0.9)`;
  context.lineWidth = 1.5;
  context.stroke();
  context.beginPath();
  waveform.forEach((value, index) => {
    const x = (index / Math.max(1, waveform.length - 1)) * width;
    const y = height * (1 - RIDGE_PART * 1.25) - value * height * 0.09;
    if (index) context.lineTo(x, y);
    else context.moveTo(x, y);
  });
  context.strokeStyle = `hsl(${hue} 95% ${light}% / 0.45)`;
  context.stroke();
}

function drawHand(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  { name, hue, x, y, holds }: ShownHand,
  isDark: boolean,
): void {
  const left = x * width;
  const top = (1 - y) * height;
  const colour = `hsl(${hue} 90% ${isDark ? 70 : 42}%)`;
  context.beginPath();
  context.arc(left, top, holds ? 9 : 5, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.globalAlpha = holds ? 0.95 : 0.75;
  context.fill();
  if (holds) {
    context.beginPath();
    context.arc(left, top, 18, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.stroke();
  }
  context.globalAlpha = 1;
  context.font = '600 12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const text = name.length > 20 ? `${name.slice(0, 19)}…` : name;
  const wide = context.measureText(text).width + 14;
  const at = left + LABEL_OFFSET + wide > width ? left - LABEL_OFFSET - wide : left + LABEL_OFFSET;
  context.fillStyle = isDark ? 'rgb(10 12 26 / 0.78)' : 'rgb(255 255 255 / 0.85)';
  context.beginPath();
  context.roundRect(at, top - 10, wide, 20, 10);
  context.fill();
  context.fillStyle = colour;
  context.fillText(text, at + 7, top + 1);
}
