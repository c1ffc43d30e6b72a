// The instruments: synthesizers that stand in for those of General MIDI.
import {
  Compressor,
  Context,
  Filter,
  FMSynth,
  Gain,
  Limiter,
  MembraneSynth,
  NoiseSynth,
  PolySynth,
  Reverb,
  Synth,
  // Not all of `tone`, which starts a context of its own as soon as it is read.
} from 'tone/build/esm/classes.js';
import { setContext } from 'tone/build/esm/core/context/GlobalContext.js';
import type { MusicGenerated, Note, Stroke } from '@harmonic-universe/client';

type Voices = PolySynth<Synth> | PolySynth<FMSynth>;

/** What one voice of a piece is played by. */
interface Part {
  readonly synth: Voices;
  readonly chain: readonly { dispose(): unknown }[];
}

const MAX_POLYPHONY = 48;
const VOLUMES_DB: Readonly<Record<string, number>> = { melody: -7, counter: -12, pads: -17, bass: -9 };
/** Strokes of one drum that come closer together are one. */
const MIN_STROKE_GAP_S = 0.006;

/** The context, and all that a piece is played by. */
export class Orchestra {
  readonly context: Context;
  readonly #out: Gain;
  readonly #dry: Compressor;
  readonly #room: Reverb;
  #parts = new Map<string, Part>();
  #drums: Drums | undefined;

  constructor() {
    // The page's policy lets no code be made of text, as a clock in a worker would be.
    this.context = new Context({ latencyHint: 'interactive', clockSource: 'timeout', lookAhead: 0.05 });
    setContext(this.context);
    this.#out = new Gain(0.8);
    const limiter = new Limiter(-2);
    this.#out.connect(limiter);
    limiter.toDestination();
    this.#room = new Reverb({ decay: 2.4, preDelay: 0.02, wet: 1 });
    this.#room.connect(this.#out);
    const send = new Gain(0.22).connect(this.#room);
    this.#dry = new Compressor({ threshold: -18, ratio: 3, attack: 0.01, release: 0.2 });
    this.#dry.connect(this.#out);
    this.#dry.connect(send);
  }

  /** Where all that sounds can be measured. */
  get output(): Gain {
    return this.#out;
  }

  /** How loud everything is, from 0 to 1. */
  set volume(volume: number) {
    this.#out.gain.rampTo(volume * volume, 0.03);
  }

  /** Have the instruments of a piece at hand. */
  prepare(piece: MusicGenerated): void {
    this.silence();
    if (piece.drums?.length) this.#drums = new Drums(this.#dry);
    const voices = new Set(piece.notes.map(({ voice }) => voice ?? 'melody'));
    for (const voice of voices) {
      const part = made(piece.instruments?.[voice] ?? (voice === 'bass' ? 32 : 0), voice);
      part.synth.volume.value = VOLUMES_DB[voice] ?? -10;
      part.synth.maxPolyphony = MAX_POLYPHONY;
      const last = part.chain.at(-1) as Filter | undefined;
      if (last) part.synth.chain(...(part.chain as Filter[]), this.#dry);
      else part.synth.connect(this.#dry);
      this.#parts.set(voice, part);
    }
  }

  /** Let a note begin at a time of the context. */
  note({ pitch, duration, velocity, voice = 'melody' }: Note, atS: number): void {
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    this.#parts.get(voice)?.synth.triggerAttackRelease(frequency, duration, atS, (velocity / 127) ** 1.4);
  }

  stroke(stroke: Stroke, atS: number): void {
    this.#drums?.strike(stroke, atS);
  }

  /** End all notes, and what was to come: the piece has to be prepared again. */
  silence(): void {
    for (const { synth, chain } of this.#parts.values()) {
      synth.dispose();
      for (const node of chain) node.dispose();
    }
    this.#parts = new Map();
    this.#drums?.dispose();
    this.#drums = undefined;
  }

  close(): void {
    this.silence();
    this.context.dispose();
  }
}

/** Synthesizers by families of General MIDI's programs, eight to a family. */
function made(program: number, voice: string): Part {
  switch (program >> 3) {
    case 0: // pianos
      return {
        synth: new PolySynth(FMSynth, {
          harmonicity: 1,
          modulationIndex: 2.6,
          envelope: { attack: 0.003, decay: 1.4, sustain: 0.08, release: 0.7 },
          modulationEnvelope: { attack: 0.002, decay: 0.35, sustain: 0.05, release: 0.4 },
        }),
        chain: [new Filter(4200, 'lowpass')],
      };
    case 1: // vibraphone, music box
      return {
        synth: new PolySynth(FMSynth, {
          harmonicity: 3.98,
          modulationIndex: 1.6,
          envelope: { attack: 0.002, decay: 1.8, sustain: 0, release: 1.2 },
          modulationEnvelope: { attack: 0.002, decay: 0.25, sustain: 0, release: 0.4 },
        }),
        chain: [],
      };
    case 2: // organs
      return {
        synth: new PolySynth(Synth, {
          oscillator: { type: 'custom', partials: [1, 0.6, 0.3, 0.25, 0, 0.12] },
          envelope: { attack: 0.02, decay: 0.1, sustain: 0.85, release: 0.15 },
        }),
        chain: [new Filter(3000, 'lowpass')],
      };
    case 3: // guitars
      return {
        synth: new PolySynth(FMSynth, {
          harmonicity: 2,
          modulationIndex: 3.4,
          envelope: { attack: 0.002, decay: 0.7, sustain: 0.02, release: 0.35 },
          modulationEnvelope: { attack: 0.001, decay: 0.12, sustain: 0, release: 0.2 },
        }),
        chain: [new Filter(2800, 'lowpass')],
      };
    case 4: // basses
      return {
        synth: new PolySynth(Synth, {
          oscillator: { type: 'triangle' },
          envelope: { attack: 0.008, decay: 0.5, sustain: 0.35, release: 0.2 },
        }),
        chain: [new Filter(900, 'lowpass')],
      };
    case 5:
    case 6: // strings and choirs
      return {
        synth: new PolySynth(Synth, {
          oscillator: { type: 'fatsawtooth', count: 2, spread: 16 },
          envelope: { attack: voice === 'pads' ? 0.28 : 0.09, decay: 0.3, sustain: 0.8, release: 0.8 },
        }),
        chain: [new Filter(voice === 'bass' ? 900 : 1900, 'lowpass')],
      };
    case 7: // brass
      return {
        synth: new PolySynth(FMSynth, {
          harmonicity: 1,
          modulationIndex: 3,
          envelope: { attack: 0.05, decay: 0.2, sustain: 0.7, release: 0.25 },
          modulationEnvelope: { attack: 0.08, decay: 0.3, sustain: 0.5, release: 0.3 },
        }),
        chain: [new Filter(2400, 'lowpass')],
      };
    case 8:
    case 9: // reeds and pipes
      return {
        synth: new PolySynth(Synth, {
          oscillator: { type: 'custom', partials: [1, 0.12, 0.24, 0.05, 0.08] },
          envelope: { attack: 0.06, decay: 0.2, sustain: 0.75, release: 0.3 },
        }),
        chain: [new Filter(3200, 'lowpass')],
      };
    default:
      return {
        synth: new PolySynth(Synth, {
          oscillator: { type: 'triangle' },
          envelope: { attack: 0.02, decay: 0.6, sustain: 0.3, release: 0.6 },
        }),
        chain: [new Filter(3600, 'lowpass')],
      };
  }
}

type Drum = 'kick' | 'tom' | 'snare' | 'hat' | 'cymbal';

/** The drums, each by what it is made like. */
class Drums {
  readonly #kick: MembraneSynth;
  readonly #tom: MembraneSynth;
  readonly #noises: Readonly<Record<'snare' | 'hat' | 'cymbal', NoiseSynth>>;
  readonly #filters: readonly Filter[];
  readonly #lastS = new Map<Drum, number>();

  constructor(out: Compressor) {
    this.#kick = new MembraneSynth({ pitchDecay: 0.04, octaves: 5, volume: -8 }).connect(out);
    this.#tom = new MembraneSynth({ pitchDecay: 0.06, octaves: 2.5, volume: -14 }).connect(out);
    const filters: Filter[] = [];
    const noise = (decay: number, volume: number, above: number) => {
      const filter = new Filter(above, 'highpass');
      filters.push(filter);
      const envelope = { attack: 0.001, decay, sustain: 0 };
      return new NoiseSynth({ noise: { type: 'white' }, envelope, volume }).chain(filter, out);
    };
    this.#noises = { snare: noise(0.16, -19, 1400), hat: noise(0.05, -27, 7500), cymbal: noise(0.5, -30, 5200) };
    this.#filters = filters;
  }

  dispose(): void {
    for (const each of [this.#kick, this.#tom, ...Object.values(this.#noises), ...this.#filters]) each.dispose();
  }

  strike({ key, velocity }: Stroke, atS: number): void {
    const drum = drumOf(key);
    const whenS = Math.max(atS, (this.#lastS.get(drum) ?? 0) + MIN_STROKE_GAP_S);
    this.#lastS.set(drum, whenS);
    const strength = (velocity / 127) ** 1.4;
    if (drum === 'kick') this.#kick.triggerAttackRelease(46, 0.3, whenS, strength);
    else if (drum === 'tom') this.#tom.triggerAttackRelease(70 + (key - 41) * 9, 0.25, whenS, strength);
    else this.#noises[drum].triggerAttackRelease(drum === 'cymbal' ? 0.4 : 0.1, whenS, strength);
  }
}

/** Which drum stands in for a key of General MIDI's percussion. */
function drumOf(key: number): Drum {
  if (key === 35 || key === 36) return 'kick';
  if ([37, 38, 39, 40].includes(key)) return 'snare';
  if ([49, 51, 52, 53, 55, 57, 59].includes(key)) return 'cymbal';
  return key >= 41 && key <= 50 && key % 2 === (key < 48 ? 1 : 0) ? 'tom' : 'hat';
}
