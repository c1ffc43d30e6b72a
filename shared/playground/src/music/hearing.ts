// Measures what sounds here, or what the microphone hears, to show it to the room.
import type { Client } from '@harmonic-universe/client';
import { Cell } from '../watched.ts';
import type { Player } from './player.ts';
import { bandsOf, samplesOf } from './spectrum.ts';

/** What is measured. */
export type Source = 'nothing' | 'sound' | 'microphone';

const FFT_SIZE = 2048;
const INTERVAL_MS = 70;

export class Hearing {
  readonly source = new Cell<Source>('nothing');
  readonly #client: Client;
  readonly #universeId: string;
  readonly #player: Player;
  #stop: (() => void) | undefined;

  constructor(client: Client, universeId: string, player: Player) {
    this.#client = client;
    this.#universeId = universeId;
    this.#player = player;
  }

  /** Measure this from now on; rejects if it may not be heard. */
  async listen(source: Source): Promise<void> {
    this.close();
    this.source.set(source);
    if (source === 'nothing') return;
    try {
      const stop = source === 'microphone' ? await this.#microphone() : await this.#sound();
      if (this.source.getSnapshot() === source) this.#stop = stop;
      else stop();
    } catch (error) {
      if (this.source.getSnapshot() === source) this.source.set('nothing');
      throw error;
    }
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.source.set('nothing');
  }

  async #sound(): Promise<() => void> {
    await this.#player.unlock();
    const { orchestra } = this.#player;
    if (!orchestra) throw new Error('There is no sound here.');
    const analyser = orchestra.context.createAnalyser();
    analyser.fftSize = FFT_SIZE;
    orchestra.output.connect(analyser);
    const stop = this.#keepSending(analyser);
    return () => {
      stop();
      orchestra.output.disconnect(analyser);
    };
  }

  async #microphone(): Promise<() => void> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = FFT_SIZE;
    context.createMediaStreamSource(stream).connect(analyser);
    const stop = this.#keepSending(analyser);
    return () => {
      stop();
      for (const track of stream.getTracks()) track.stop();
      void context.close();
    };
  }

  #keepSending(analyser: Pick<AnalyserNode, 'getByteFrequencyData' | 'getByteTimeDomainData' | 'frequencyBinCount' | 'fftSize'>): () => void {
    const spectrum = new Uint8Array(analyser.frequencyBinCount);
    const samples = new Uint8Array(analyser.fftSize);
    const timer = setInterval(() => {
      if (this.#client.universe(this.#universeId).status !== 'joined') return;
      analyser.getByteFrequencyData(spectrum);
      analyser.getByteTimeDomainData(samples);
      const analysis = {
        frequencies: bandsOf(spectrum),
        waveform: samplesOf(samples),
        timestamp: new Date().toISOString(),
      };
      this.#client.socket.emit('audio_analysis', { universeId: this.#universeId, analysis });
    }, INTERVAL_MS);
    return () => clearInterval(timer);
  }
}
