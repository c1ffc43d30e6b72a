// Draws particles with WebGL: soft points of light on dark, of colour on light.
import { paletteOf } from '../palettes.ts';
import { STRIDE } from './simulation.ts';

/** How the particles look, as the universe's visualization has it. */
export interface Look {
  readonly brightness: number;
  readonly saturation: number;
  readonly complexity: number;
  readonly colorScheme: string;
  readonly glowIntensity: number;
}

const POINTS = `
attribute vec3 state;
attribute float seed;
uniform vec2 scale;
uniform float size, time, variety, saturation, brightness;
uniform mediump float dark;
uniform vec3 base, range, frequency, phase;
varying vec4 tint;
void main() {
  gl_Position = vec4(state.xy * scale - 1.0, 0.0, 1.0);
  float heat = state.z;
  gl_PointSize = size * (0.55 + 0.9 * seed * seed) * (1.0 + 0.7 * heat);
  float t = mix(state.x * scale.x * 0.3, fract(seed * 7.13), 0.1 + 0.5 * variety) + state.y * 0.22 + time * 0.02;
  vec3 colour = base + range * cos(6.28318 * (frequency * t + phase));
  float grey = dot(colour, vec3(0.3, 0.59, 0.11));
  colour = mix(vec3(grey), colour, saturation * 1.25);
  colour = mix(colour * 0.72, colour + 0.45 * heat, dark);
  tint = vec4(clamp(colour, 0.0, 1.0), (0.16 + 0.84 * brightness) * (0.55 + 0.45 * seed + 0.4 * heat));
}`;
const LIGHT = `
precision mediump float;
uniform mediump float glow, dark;
varying vec4 tint;
void main() {
  float far = length(gl_PointCoord - 0.5) * 2.0;
  float core = smoothstep(0.42, 0.16, far);
  float halo = max(0.0, 1.0 - far);
  float shown = min(1.0, core * mix(0.95, 0.85, dark) + halo * halo * glow * mix(0.35, 0.55, dark));
  gl_FragColor = vec4(tint.rgb, tint.a * shown);
}`;
const PLACE = 'attribute vec2 corner; void main() { gl_Position = vec4(corner, 0.0, 1.0); }';
const VEIL = 'precision mediump float; uniform vec4 veil; void main() { gl_FragColor = veil; }';
const BACKGROUND = { dark: [0.035, 0.04, 0.085], light: [0.965, 0.962, 0.988] } as const;
const TRAIL_ALPHA = 0.22;

type Uniforms = Readonly<Record<string, WebGLUniformLocation | null>>;

export class Painter {
  readonly #gl: WebGLRenderingContext;
  readonly #points: WebGLProgram;
  readonly #veil: WebGLProgram;
  readonly #uniforms: Uniforms;
  readonly #veilUniform: WebGLUniformLocation | null;
  readonly #states: WebGLBuffer;
  readonly #seeds: WebGLBuffer;
  readonly #corners: WebGLBuffer;

  /** A painter for a canvas, or none where there is no WebGL. */
  static of(canvas: HTMLCanvasElement, seeds: Float32Array): Painter | undefined {
    const options = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true } as const;
    const gl = canvas.getContext('webgl', options) as WebGLRenderingContext | null;
    return gl ? new Painter(gl, seeds) : undefined;
  }

  private constructor(gl: WebGLRenderingContext, seeds: Float32Array) {
    this.#gl = gl;
    this.#points = program(gl, POINTS, LIGHT);
    this.#veil = program(gl, PLACE, VEIL);
    const names = ['scale', 'size', 'time', 'variety', 'saturation', 'brightness', 'dark', 'glow'];
    const all = [...names, 'base', 'range', 'frequency', 'phase'];
    this.#uniforms = Object.fromEntries(all.map(name => [name, gl.getUniformLocation(this.#points, name)]));
    this.#veilUniform = gl.getUniformLocation(this.#veil, 'veil');
    this.#states = gl.createBuffer();
    this.#seeds = gl.createBuffer();
    this.#corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#seeds);
    gl.bufferData(gl.ARRAY_BUFFER, seeds, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enable(gl.BLEND);
  }

  /** Draw the first `count` particles; `trails` leaves a shade of what was there. */
  paint(
    states: Float32Array,
    count: number,
    look: Look,
    frame: { timeS: number; aspect: number; pixels: number; isDark: boolean; trails: boolean },
  ): void {
    const gl = this.#gl;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    this.#fade(frame.isDark, frame.trails);
    gl.useProgram(this.#points);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#states);
    gl.bufferData(gl.ARRAY_BUFFER, states.subarray(0, count * STRIDE), gl.STREAM_DRAW);
    attribute(gl, this.#points, 'state', 3);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#seeds);
    attribute(gl, this.#points, 'seed', 1);
    this.#set(look, frame);
    gl.blendFunc(gl.SRC_ALPHA, frame.isDark ? gl.ONE : gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArrays(gl.POINTS, 0, count);
  }

  #fade(isDark: boolean, trails: boolean): void {
    const gl = this.#gl;
    const [red, green, blue] = isDark ? BACKGROUND.dark : BACKGROUND.light;
    if (!trails) {
      gl.clearColor(red, green, blue, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      return;
    }
    gl.useProgram(this.#veil);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#corners);
    attribute(gl, this.#veil, 'corner', 2);
    gl.uniform4f(this.#veilUniform, red, green, blue, TRAIL_ALPHA);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  #set(look: Look, frame: { timeS: number; aspect: number; pixels: number; isDark: boolean }): void {
    const gl = this.#gl;
    const uniform = (name: string) => this.#uniforms[name] ?? null;
    const palette = paletteOf(look.colorScheme);
    gl.uniform2f(uniform('scale'), 2 / frame.aspect, 2);
    gl.uniform1f(uniform('size'), frame.pixels * (4.5 + 9 * look.glowIntensity));
    gl.uniform1f(uniform('time'), frame.timeS);
    gl.uniform1f(uniform('variety'), look.complexity);
    gl.uniform1f(uniform('saturation'), look.saturation);
    gl.uniform1f(uniform('brightness'), look.brightness);
    gl.uniform1f(uniform('glow'), look.glowIntensity);
    gl.uniform1f(uniform('dark'), frame.isDark ? 1 : 0);
    for (const name of ['base', 'range', 'frequency', 'phase'] as const) gl.uniform3fv(uniform(name), [...palette[name]]);
  }
}

function attribute(gl: WebGLRenderingContext, of: WebGLProgram, name: string, size: number): void {
  const at = gl.getAttribLocation(of, name);
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, gl.FLOAT, false, 0, 0);
}

function program(gl: WebGLRenderingContext, vertices: string, fragments: string): WebGLProgram {
  const made = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, vertices],
    [gl.FRAGMENT_SHADER, fragments],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error('The graphics context is lost.');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`A shader does not link: ${gl.getProgramInfoLog(made)}`);
  }
  return made;
}
