// The stage: lets the particles move and draws them, as well as this machine can.
import type { Parameters } from '@harmonic-universe/client';
import { fit } from '../canvas.ts';
import type { Frames } from '../frames.ts';
import type { NoteStroke } from '../music/strokes.ts';
import { Cell } from '../watched.ts';
import { drawOverlay, type Heard, type ShownHand } from './overlay.ts';
import { Painter } from './painter.ts';
import { adapted, QUALITIES, START, type Level } from './quality.ts';
import { Simulation } from './simulation.ts';

/** What the stage asks for with each frame. */
export interface Scene {
  /** The loop that it draws in, whose pace it sets. */
  readonly frames: Frames;
  parameters(): Parameters | undefined;
  hands(): readonly ShownHand[];
  heard(): readonly Heard[];
  /** The notes that began since the last frame: where from 0 to 1, and how strong. */
  strokes(): readonly NoteStroke[];
}

/** How much is drawn. */
export interface Drawn {
  readonly particles: number;
  readonly wanted: number;
  readonly framesPerS: number;
}

const CAPACITY = 10_000;
const MEASURED_MS = 1500;
/** Where time did not go on for longer, it jumps: the page was hidden. */
const MAX_FRAME_S = 0.1;
const WARM_UP_S = 4;

export class Stage {
  /** How much is drawn, for those who want to know. */
  readonly drawn = new Cell<Drawn>({ particles: 0, wanted: 0, framesPerS: 0 });
  readonly #canvas: HTMLCanvasElement;
  readonly #overlay: HTMLCanvasElement;
  readonly #scene: Scene;
  readonly #simulation = new Simulation(CAPACITY, Math.random);
  readonly #painter: Painter | undefined;
  readonly #plain: CanvasRenderingContext2D | null;
  readonly #context: CanvasRenderingContext2D | null;
  readonly #dark = matchMedia('(prefers-color-scheme: dark)');
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #sizes: ResizeObserver;
  readonly #stopFrames: () => void;
  #level: Level = START;
  #lastMs = 0;
  #measure = { sinceMs: 0, frames: 0, workMs: 0 };
  #shownLook = '';

  constructor(canvas: HTMLCanvasElement, overlay: HTMLCanvasElement, scene: Scene) {
    this.#canvas = canvas;
    this.#overlay = overlay;
    this.#scene = scene;
    this.#painter = Painter.of(canvas, this.#simulation.seeds);
    this.#plain = this.#painter ? null : canvas.getContext('2d');
    this.#context = overlay.getContext('2d');
    this.#sizes = new ResizeObserver(() => this.#resize());
    this.#sizes.observe(canvas);
    this.#pace();
    this.#stopFrames = scene.frames.add(now => this.#frame(now));
  }

  /** Draw no more. */
  close(): void {
    this.#stopFrames();
    this.#sizes.disconnect();
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#canvas;
    if (!clientWidth || !clientHeight) return;
    const pixels = this.#pixels();
    this.#canvas.width = Math.round(clientWidth * pixels);
    this.#canvas.height = Math.round(clientHeight * pixels);
    this.#simulation.resize(clientWidth / clientHeight);
    this.#shownLook = '';
  }

  #pixels(): number {
    return Math.min(devicePixelRatio, QUALITIES[this.#level.index]?.pixels ?? 1);
  }

  #pace(): void {
    this.#scene.frames.perS = QUALITIES[this.#level.index]?.framesPerS ?? 1;
  }

  #frame(nowMs: number): void {
    const quality = QUALITIES[this.#level.index];
    const parameters = this.#scene.parameters();
    if (!quality || !parameters || !this.#canvas.clientWidth) return;
    const beganMs = performance.now();
    const elapsedS = Math.min(MAX_FRAME_S, (nowMs - this.#lastMs) / 1000);
    const isFirst = this.#lastMs === 0;
    this.#lastMs = nowMs;
    const count = Math.round(parameters.visualization.particleCount * quality.share);
    const hands = this.#scene.hands();
    if (this.#still.matches) this.#drawStill(parameters, count);
    else this.#drawMoving(parameters, count, isFirst ? WARM_UP_S : elapsedS, nowMs, quality.trails, hands);
    this.#drawOverlay(hands);
    this.#measured(performance.now() - beganMs, nowMs, count, parameters.visualization.particleCount);
  }

  #drawMoving(
    { physics, visualization }: Parameters,
    count: number,
    elapsedS: number,
    nowMs: number,
    trails: boolean,
    hands: readonly ShownHand[],
  ): void {
    for (const { at, strength } of this.#scene.strokes()) this.#simulation.burst(at, strength, count);
    const holding = hands.filter(({ holds }) => holds);
    this.#simulation.advance(elapsedS, count, physics, visualization.complexity, holding);
    this.#paint(visualization, count, nowMs / 1000, trails);
  }

  // Without motion: another picture where something else is to be seen.
  #drawStill(parameters: Parameters, count: number): void {
    const look = JSON.stringify([parameters.physics, parameters.visualization, count, this.#dark.matches]);
    if (look === this.#shownLook) return;
    const elapsedS = this.#shownLook ? 0.5 : WARM_UP_S;
    this.#shownLook = look;
    this.#simulation.advance(elapsedS, count, parameters.physics, parameters.visualization.complexity, []);
    this.#paint(parameters.visualization, count, 0, false);
  }

  #paint(look: Parameters['visualization'], count: number, timeS: number, trails: boolean): void {
    const aspect = this.#canvas.clientWidth / this.#canvas.clientHeight;
    const isDark = this.#dark.matches;
    const frame = { timeS, aspect, pixels: this.#canvas.width / this.#canvas.clientWidth, isDark, trails };
    if (this.#painter) this.#painter.paint(this.#simulation.states, count, look, frame);
    else this.#paintPlainly(count, look.brightness, isDark);
  }

  // Where there is no WebGL: dots of one colour.
  #paintPlainly(count: number, brightness: number, isDark: boolean): void {
    const context = this.#plain;
    if (!context) return;
    const { width, height } = this.#canvas;
    context.fillStyle = isDark ? '#090a16' : '#f6f5fc';
    context.fillRect(0, 0, width, height);
    context.fillStyle = isDark ? `rgb(150 170 255 / ${0.3 + 0.7 * brightness})` : `rgb(70 60 160 / ${0.3 + 0.7 * brightness})`;
    const { states } = this.#simulation;
    for (let i = 0; i < count; i += 1) {
      context.fillRect((states[i * 3] ?? 0) * height, (1 - (states[i * 3 + 1] ?? 0)) * height, 2, 2);
    }
  }

  #drawOverlay(hands: readonly ShownHand[]): void {
    const heard = this.#scene.heard();
    const isEmpty = hands.length === 0 && heard.length === 0;
    if (!this.#context || (isEmpty && this.#overlay.hidden)) return;
    // An empty canvas over another one would cost as much as a full one.
    this.#overlay.hidden = isEmpty;
    if (isEmpty) return;
    fit(this.#overlay, this.#context);
    const size = { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
    drawOverlay(this.#context, size, hands, heard, this.#dark.matches);
  }

  #measured(workMs: number, nowMs: number, particles: number, wanted: number): void {
    const measure = this.#measure;
    measure.frames += 1;
    measure.workMs += workMs;
    const elapsedMs = nowMs - measure.sinceMs;
    if (elapsedMs < MEASURED_MS) return;
    const framesPerS = Math.round((measure.frames * 1000) / elapsedMs);
    // A page that was hidden draws nothing, which says nothing about the machine.
    const wasHidden = elapsedMs > 2 * MEASURED_MS;
    if (measure.sinceMs > 0 && !wasHidden) {
      const before = this.#pixels();
      this.#level = adapted(this.#level, { elapsedMs, frames: measure.frames, workMs: measure.workMs });
      if (this.#pixels() !== before) this.#resize();
      this.#pace();
      this.drawn.set({ particles, wanted, framesPerS });
    }
    this.#measure = { sinceMs: nowMs, frames: 0, workMs: 0 };
  }
}
