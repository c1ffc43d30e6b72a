// The particles of a universe: how they move. Pure, but for the arrays that it owns.
//
// The stage is `width` wide and 1 high, in units of its height; y points up. Velocities are per second.

/** What moves particles, as the universe's physics has it. */
export interface Physics {
  readonly gravity: number;
  readonly friction: number;
  readonly elasticity: number;
  readonly airResistance: number;
  readonly timeScale: number;
}

/** A hand on the stage, which draws particles to itself. */
export interface Hand {
  readonly x: number;
  readonly y: number;
}

/** Numbers of a particle in `states`: x, y, heat. */
export const STRIDE = 3;
const MAX_STEP_S = 1 / 30;
/** Of a metre: what the stage is high. */
const METRES_HIGH = 16;
const HAND_REACH = 0.45;
const HAND_PULL = 3.2;
const REST_SPEED = 0.06;
const LAUNCH_SPEED = 1.3;
/** Of those at rest, which part is launched in a second. */
const LAUNCHES_PER_S = 1.4;
const HOMING = 0.8;
const COOLING_PER_S = 1.6;
const FLOW_COLUMNS = 24;
const FLOW_ROWS = 14;

export class Simulation {
  readonly states: Float32Array;
  /** What makes each particle a little different, from 0 to 1. */
  readonly seeds: Float32Array;
  readonly #velocities: Float32Array;
  readonly #flow = new Float32Array(FLOW_COLUMNS * FLOW_ROWS * 2);
  readonly #random: () => number;
  #width = 1.6;
  #timeS = 0;

  constructor(capacity: number, random: () => number) {
    this.states = new Float32Array(capacity * STRIDE);
    this.seeds = new Float32Array(capacity);
    this.#velocities = new Float32Array(capacity * 2);
    this.#random = random;
    for (let i = 0; i < capacity; i += 1) {
      this.seeds[i] = random();
      this.states[i * STRIDE] = random() * this.#width;
      this.states[i * STRIDE + 1] = random();
    }
  }

  /** The stage has another shape: everything keeps its place in it. */
  resize(width: number): void {
    const factor = width / this.#width;
    for (let i = 0; i < this.states.length; i += STRIDE) this.states[i] = (this.states[i] ?? 0) * factor;
    this.#width = width;
  }

  /** Let `elapsedS` of the page's time go by for the first `count` particles. */
  advance(elapsedS: number, count: number, physics: Physics, swirl: number, hands: readonly Hand[]): void {
    const totalS = elapsedS * physics.timeScale;
    const steps = Math.max(1, Math.ceil(totalS / MAX_STEP_S));
    for (let step = 0; step < steps; step += 1) {
      this.#timeS += totalS / steps;
      this.#stir(swirl);
      this.#step(totalS / steps, count, physics, hands);
    }
  }

  /** Throw up what is near a place on the floor: `at` from 0 to 1, `strength` as well. */
  burst(at: number, strength: number, count: number): void {
    const { states } = this;
    const velocities = this.#velocities;
    const x = at * this.#width;
    const reach = 0.035 * this.#width;
    for (let i = 0; i < count; i += 1) {
      const distance = Math.abs((states[i * STRIDE] ?? 0) - x) / reach;
      if (distance > 1) continue;
      const push = strength * (1 - distance * distance) * (0.4 + 0.6 * (this.seeds[i] ?? 0));
      velocities[i * 2 + 1] = Math.max(velocities[i * 2 + 1] ?? 0, 0) + push * 0.75;
      velocities[i * 2] = (velocities[i * 2] ?? 0) + (this.#random() - 0.5) * push * 0.35;
      states[i * STRIDE + 2] = Math.min(1, (states[i * STRIDE + 2] ?? 0) + push * 1.3);
    }
  }

  // A field of slow currents: `swirl` says how small and how strong they are.
  #stir(swirl: number): void {
    const t = this.#timeS;
    const scale = 2 + swirl * 9;
    const strength = 0.05 + swirl * 0.34;
    for (let row = 0; row < FLOW_ROWS; row += 1) {
      for (let column = 0; column < FLOW_COLUMNS; column += 1) {
        const x = (column / (FLOW_COLUMNS - 1)) * scale * this.#width;
        const y = (row / (FLOW_ROWS - 1)) * scale;
        const at = (row * FLOW_COLUMNS + column) * 2;
        this.#flow[at] = strength * (Math.sin(y + t * 0.31) + 0.6 * Math.sin(y * 1.7 - x * 0.5 + t * 0.47));
        this.#flow[at + 1] = strength * (Math.sin(x * 0.9 - t * 0.26) + 0.6 * Math.sin(x * 1.3 + y * 0.7 + t * 0.39));
      }
    }
  }

  #step(stepS: number, count: number, physics: Physics, hands: readonly Hand[]): void {
    const { states, seeds } = this;
    const velocities = this.#velocities;
    const flow = this.#flow;
    const width = this.#width;
    const fall = (physics.gravity / METRES_HIGH) * stepS;
    const kept = Math.exp(-(0.05 + 2.2 * physics.airResistance) * stepS);
    const bounce = physics.elasticity;
    const slide = 1 - 0.8 * physics.friction;
    const cooled = Math.exp(-COOLING_PER_S * stepS);
    const launched = LAUNCHES_PER_S * stepS;
    const wave = this.#timeS * 0.7;
    for (let i = 0; i < count; i += 1) {
      const s = i * STRIDE;
      const v = i * 2;
      let x = states[s] ?? 0;
      let y = states[s + 1] ?? 0;
      let vx = velocities[v] ?? 0;
      let vy = velocities[v + 1] ?? 0;
      const column = Math.min(FLOW_COLUMNS - 1, Math.max(0, ((x / width) * FLOW_COLUMNS) | 0));
      const row = Math.min(FLOW_ROWS - 1, Math.max(0, (y * FLOW_ROWS) | 0));
      const at = (row * FLOW_COLUMNS + column) * 2;
      // Near the floor the currents are weak, or they would sweep everything into a corner.
      vx = (vx + (flow[at] ?? 0) * Math.min(1, 3 * y) * stepS) * kept;
      vy = (vy + (flow[at + 1] ?? 0) * stepS - fall) * kept;
      for (const hand of hands) {
        const dx = hand.x * width - x;
        const dy = hand.y - y;
        const distance = Math.hypot(dx, dy) + 0.02;
        if (distance > HAND_REACH) continue;
        const pull = (HAND_PULL * (1 - distance / HAND_REACH) * stepS) / distance;
        vx += (dx - dy * 0.7) * pull;
        vy += (dy + dx * 0.7) * pull;
      }
      x += vx * stepS;
      y += vy * stepS;
      if (x < 0 || x > width) {
        x = x < 0 ? Math.min(-x, width) : Math.max(2 * width - x, 0);
        vx *= -bounce;
      }
      if (y > 1) {
        y = Math.max(2 - y, 0);
        vy *= -bounce;
      }
      if (y < 0) {
        y = Math.min(-y * bounce, 1);
        vy *= -bounce;
        vx *= slide;
        if (vy < REST_SPEED && this.#random() < launched * 8 * (0.15 + (seeds[i] ?? 0))) {
          // Where the floor's wave is high, it throws high.
          const height = 0.5 + 0.5 * Math.sin((x / width) * 6.283 * 1.5 + wave) * Math.sin(wave * 0.37 + 1.3);
          vy = LAUNCH_SPEED * (0.42 + 0.58 * height) * (0.55 + 0.45 * this.#random());
          // Each has a place of its own that it comes back to, or all would end where the currents go.
          vx += ((seeds[i] ?? 0) * width - x) * HOMING + (this.#random() - 0.5) * 0.2;
        }
      }
      states[s] = x;
      states[s + 1] = y;
      states[s + 2] = (states[s + 2] ?? 0) * cooled;
      velocities[v] = vx;
      velocities[v + 1] = vy;
    }
  }
}
