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

/** Where the attributes of both programs are. */
const ATTRIBUTES = { state: 0, seed: 1, corner: 2 } as const;
const OPTIONS = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true } as const;

type Uniforms = Readonly<Record<string, WebGLUniformLocation | null>>;

/** What is drawn of a frame beside the particles themselves. */
export interface Frame {
  readonly timeS: number;
  /** The width of the stage, of its height. */
  readonly aspect: number;
  /** Pixels of the canvas for one of the page's. */
  readonly pixels: number;
  readonly isDark: boolean;
  /** Leave a shade of what was there. */
  readonly trails: boolean;
}

export class Painter {
  readonly #gl: WebGLRenderingContext;
  readonly #points: WebGLProgram;
  readonly #veil: WebGLProgram;
  readonly #uniforms: Uniforms;
  readonly #veilUniform: WebGLUniformLocation | null;
  readonly #states: WebGLBuffer;
  #look: Look | undefined;
  #shown: Float32Array = new Float32Array();

  /** A painter for a canvas, or none where there is no WebGL. */
  static of(canvas: HTMLCanvasElement, seeds: Float32Array): Painter | undefined {
    const gl = canvas.getContext('webgl', OPTIONS) as WebGLRenderingContext | null;
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
    attribute(gl, ATTRIBUTES.seed, 1, seeds);
    attribute(gl, ATTRIBUTES.corner, 2, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]));
    this.#states = attribute(gl, ATTRIBUTES.state, STRIDE, this.#shown);
    gl.enable(gl.BLEND);
  }

  /** Draw the first `count` particles. */
  paint(states: Float32Array, count: number, look: Look, frame: Frame): void {
    const gl = this.#gl;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    this.#fade(frame.isDark, frame.trails);
    gl.useProgram(this.#points);
    if (this.#shown.length !== count * STRIDE) this.#shown = states.subarray(0, count * STRIDE);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#states);
    gl.bufferData(gl.ARRAY_BUFFER, this.#shown, gl.STREAM_DRAW);
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
    gl.uniform4f(this.#veilUniform, red, green, blue, TRAIL_ALPHA);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  #set(look: Look, frame: Frame): void {
    const gl = this.#gl;
    const uniform = (name: string) => this.#uniforms[name] ?? null;
    gl.uniform1f(uniform('time'), frame.timeS);
    gl.uniform2f(uniform('scale'), 2 / frame.aspect, 2);
    gl.uniform1f(uniform('size'), frame.pixels * (4.5 + 9 * look.glowIntensity));
    gl.uniform1f(uniform('dark'), frame.isDark ? 1 : 0);
    if (look === this.#look) return;
    this.#look = look;
    gl.uniform1f(uniform('variety'), look.complexity);
    gl.uniform1f(uniform('saturation'), look.saturation);
    gl.uniform1f(uniform('brightness'), look.brightness);
    gl.uniform1f(uniform('glow'), look.glowIntensity);
    const palette = paletteOf(look.colorScheme);
    for (const name of ['base', 'range', 'frequency', 'phase'] as const) gl.uniform3fv(uniform(name), [...palette[name]]);
  }
}

/** A buffer whose numbers, `size` for each point, are an attribute from now on. */
function attribute(gl: WebGLRenderingContext, at: number, size: number, numbers: Float32Array): WebGLBuffer {
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, numbers, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, gl.FLOAT, false, 0, 0);
  return buffer;
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
  for (const [name, at] of Object.entries(ATTRIBUTES)) gl.bindAttribLocation(made, at, name);
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`A shader does not link: ${gl.getProgramInfoLog(made)}`);
  }
  return made;
}
