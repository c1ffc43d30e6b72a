// What a window sends to its loudspeakers: how loud it is, and when which sound begins.
import type { Page } from 'playwright-core';

interface Taps {
  /** How loud all that sounds is at this moment: its root mean square. */
  loudness: () => number;
  /** When each oscillator was to begin, by the machine's clock. */
  beginsMs: number[];
  /** How many oscillators and constants were started, and have not ended. */
  sources: number;
}

/** Runs in the window, before the page does. */
export function tap(): void {
  const taps = window as unknown as Taps;
  const connect = AudioNode.prototype.connect as (this: AudioNode, to: AudioNode, ...rest: number[]) => AudioNode;
  const analysers = new Map<BaseAudioContext, AnalyserNode>();
  AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode, ...rest: number[]) {
    // Contexts that compute offline are heard by nobody.
    if (to instanceof AudioDestinationNode && this.context instanceof AudioContext) {
      const analyser = analysers.get(this.context) ?? this.context.createAnalyser();
      analysers.set(this.context, analyser);
      connect.call(this, analyser);
    }
    return connect.call(this, to, ...rest);
  } as typeof AudioNode.prototype.connect;
  taps.loudness = () => {
    const all = [...analysers.values()].flatMap(analyser => {
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      return [...samples];
    });
    return Math.sqrt(all.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, all.length));
  };
  taps.sources = 0;
  const startAny = AudioScheduledSourceNode.prototype.start;
  AudioScheduledSourceNode.prototype.start = function (this: AudioScheduledSourceNode, when = 0) {
    startAny.call(this, when);
    if (!(this.context instanceof AudioContext)) return;
    taps.sources += 1;
    this.addEventListener('ended', () => (taps.sources -= 1));
  };
  taps.beginsMs = [];
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function (this: OscillatorNode, when = 0) {
    if (this.context instanceof AudioContext) {
      const { contextTime = 0, performanceTime = 0 } = this.context.getOutputTimestamp();
      // What should have begun before begins at once.
      const whenS = Math.max(when, this.context.currentTime);
      taps.beginsMs.push(performance.timeOrigin + performanceTime + (whenS - contextTime) * 1000);
    }
    start.call(this, when);
  };
}

export const loudness = (page: Page): Promise<number> => page.evaluate(() => (window as unknown as Taps).loudness());

/** When each oscillator of a window has begun, or is to begin, in Unix milliseconds. */
export const beginsMs = (page: Page): Promise<number[]> => page.evaluate(() => (window as unknown as Taps).beginsMs);

/** How far ahead a window has begun oscillators at this moment, in milliseconds. */
export const aheadMs = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(...(window as unknown as Taps).beginsMs) - performance.timeOrigin - performance.now());

/** How many oscillators and constants of a window go on, whether they are heard or not. */
export const sources = (page: Page): Promise<number> => page.evaluate(() => (window as unknown as Taps).sources);

/** Tell a window that it is hidden, or that it is not. */
export const hide = (page: Page, isHidden: boolean): Promise<void> =>
  page.evaluate(hidden => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
