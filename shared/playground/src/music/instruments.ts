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
import type { Note, Stroke } from '@harmonic-universe/client';
import { stoppedOnRelease } from './release.ts';
import type { Section } from './timeline.ts';

type Voices = PolySynth<Synth> | PolySynth<FMSynth>;

/** How a note begins, goes on and ends: in seconds, but `sustain`, which is a part of the loudest. */
interface Envelope {
  readonly attack: number;
  readonly decay: number;
  readonly sustain: number;
  readonly release: number;
}

type Oscillator =
  | { type: 'custom'; partials: number[] }
  | { type: 'triangle' }
  | { type: 'fatsawtooth'; count: number; spread: number };

/** Which sound the notes are made of: of one oscillator, or of one that another one modulates. */
type Sound =
  | { readonly oscillator: Oscillator }
  | { readonly harmonicity: number; readonly modulationIndex: number; readonly modulation: Envelope };

/** How a family of instruments sounds. */
interface Timbre {
  readonly sound: Sound;
  readonly envelope: Envelope;
  /** What is above this frequency is softer. */
  readonly brightnessHz?: number;
}

/** What a voice is played by. */
interface Part {
  readonly synth: Voices;
  readonly filter: Filter | undefined;
}

const MAX_POLYPHONY = 48;
/** Voices with a program each: more than sound at once. */
const MAX_PARTS = 12;
const VOLUMES_DB: ReadonlyMap<string, number> = new Map(Object.entries({ melody: -7, counter: -12, pads: -17, bass: -9 }));
/** Strokes of one drum that come closer together are one. */
const MIN_STROKE_GAP_S = 0.006;
/** Voices begin their notes so long before these sound. */
const LOOK_AHEAD_S = 0.05;
/** Timers of hidden pages come once a second. */
const HIDDEN_LOOK_AHEAD_S = 1.2;

class AudibleContext extends Context {
  override createConstantSource(): ConstantSourceNode {
    return stoppedOnRelease(super.createConstantSource());
  }
}

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
    this.context = new AudibleContext({ latencyHint: 'interactive', clockSource: 'timeout', lookAhead: LOOK_AHEAD_S });
    setContext(this.context);
    document.addEventListener('visibilitychange', this.#lookAhead);
    this.#lookAhead();
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

  /** Let a note begin at a time of the context, by the program of its voice. */
  note({ pitch, duration, velocity, voice = 'melody' }: Note, instruments: Section['instruments'], atS: number): void {
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    // A voice may be called like what every object has.
    const told = instruments && Object.hasOwn(instruments, voice) ? instruments[voice] : undefined;
    const program = told ?? (voice === 'bass' ? BASS_PROGRAM : 0);
    this.#part(voice, program).synth.triggerAttackRelease(frequency, duration, atS, (velocity / 127) ** 1.4);
  }

  stroke(stroke: Stroke, atS: number): void {
    this.#drums ??= new Drums(this.#dry);
    this.#drums.strike(stroke, atS);
  }

  /** End all notes, and what was to come. */
  silence(): void {
    for (const part of this.#parts.values()) dispose(part);
    this.#parts = new Map();
    this.#drums?.dispose();
    this.#drums = undefined;
  }

  close(): void {
    document.removeEventListener('visibilitychange', this.#lookAhead);
    this.silence();
    this.context.dispose();
  }

  // The next timer may come too late for what begins meanwhile.
  readonly #lookAhead = (): void => {
    this.context.lookAhead = document.hidden ? HIDDEN_LOOK_AHEAD_S : LOOK_AHEAD_S;
    this.context.emit('tick');
  };

  // The part that was used last stands last.
  #part(voice: string, program: number): Part {
    const key = `${voice} ${program}`;
    const part = this.#parts.get(key) ?? this.#made(voice, program);
    this.#parts.delete(key);
    this.#parts.set(key, part);
    const [oldest] = this.#parts;
    if (this.#parts.size > MAX_PARTS && oldest) {
      this.#parts.delete(oldest[0]);
      dispose(oldest[1]);
    }
    return part;
  }

  #made(voice: string, program: number): Part {
    const part = made(timbreOf(program, voice));
    part.synth.volume.value = VOLUMES_DB.get(voice) ?? -10;
    part.synth.maxPolyphony = MAX_POLYPHONY;
    if (part.filter) part.synth.chain(part.filter, this.#dry);
    else part.synth.connect(this.#dry);
    return part;
  }
}

function dispose({ synth, filter }: Part): void {
  synth.dispose();
  filter?.dispose();
}

const envelope = (attack: number, decay: number, sustain: number, release: number): Envelope => ({ attack, decay, sustain, release });
const fm = (harmonicity: number, modulationIndex: number, modulation: Envelope): Sound => ({ harmonicity, modulationIndex, modulation });
const partials = (...strengths: number[]): Sound => ({ oscillator: { type: 'custom', partials: strengths } });
const TRIANGLE: Sound = { oscillator: { type: 'triangle' } };

const STRINGS: Timbre = {
  sound: { oscillator: { type: 'fatsawtooth', count: 2, spread: 16 } },
  envelope: envelope(0.09, 0.3, 0.8, 0.8),
  brightnessHz: 1900,
};
const PIPES: Timbre = { sound: partials(1, 0.12, 0.24, 0.05, 0.08), envelope: envelope(0.06, 0.2, 0.75, 0.3), brightnessHz: 3200 };
const OTHERS: Timbre = { sound: TRIANGLE, envelope: envelope(0.02, 0.6, 0.3, 0.6), brightnessHz: 3600 };
/** By families of General MIDI's programs, eight to a family. */
const TIMBRES: readonly Timbre[] = [
  // Pianos.
  { sound: fm(1, 2.6, envelope(0.002, 0.35, 0.05, 0.4)), envelope: envelope(0.003, 1.4, 0.08, 0.7), brightnessHz: 4200 },
  // Vibraphone, music box.
  { sound: fm(3.98, 1.6, envelope(0.002, 0.25, 0, 0.4)), envelope: envelope(0.002, 1.8, 0, 1.2) },
  // Organs.
  { sound: partials(1, 0.6, 0.3, 0.25, 0, 0.12), envelope: envelope(0.02, 0.1, 0.85, 0.15), brightnessHz: 3000 },
  // Guitars.
  { sound: fm(2, 3.4, envelope(0.001, 0.12, 0, 0.2)), envelope: envelope(0.002, 0.7, 0.02, 0.35), brightnessHz: 2800 },
  // Basses.
  { sound: TRIANGLE, envelope: envelope(0.008, 0.5, 0.35, 0.2), brightnessHz: 900 },
  // Strings and choirs.
  STRINGS,
  STRINGS,
  // Brass.
  { sound: fm(1, 3, envelope(0.08, 0.3, 0.5, 0.3)), envelope: envelope(0.05, 0.2, 0.7, 0.25), brightnessHz: 2400 },
  // Reeds and pipes.
  PIPES,
  PIPES,
];
const BASS_PROGRAM = 32;
const BASS_BRIGHTNESS_HZ = 900;
const PADS_ATTACK_S = 0.28;

/** How a voice sounds with a program of General MIDI: slow strings for pads, dark ones for the bass. */
function timbreOf(program: number, voice: string): Timbre {
  const timbre = TIMBRES[program >> 3] ?? OTHERS;
  if (timbre !== STRINGS) return timbre;
  if (voice === 'pads') return { ...timbre, envelope: { ...timbre.envelope, attack: PADS_ATTACK_S } };
  return voice === 'bass' ? { ...timbre, brightnessHz: BASS_BRIGHTNESS_HZ } : timbre;
}

function made({ sound, envelope, brightnessHz }: Timbre): Part {
  const filter = brightnessHz === undefined ? undefined : new Filter(brightnessHz, 'lowpass');
  if ('oscillator' in sound) return { synth: new PolySynth(Synth, { ...sound, envelope }), filter };
  const { modulation: modulationEnvelope, ...rest } = sound;
  return { synth: new PolySynth(FMSynth, { ...rest, modulationEnvelope, envelope }), filter };
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
    // What is late begins now: two strokes that are late would begin at once.
    const whenS = Math.max(atS, this.#kick.context.currentTime, (this.#lastS.get(drum) ?? 0) + MIN_STROKE_GAP_S);
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
