// Hands what is played to the orchestra: a little ahead of the sound, and each note once.
import { AudioTime } from './audio-time.ts';
import type { Orchestra } from './instruments.ts';
import { beginning, positionS, Progress, ringingAt, type Playing, type Section } from './timeline.ts';

/** The time before they sound at which notes are handed over: timers of hidden pages come once a second. */
const AHEAD_S = 1.6;
/** Notes that should have begun longer ago are left out. */
const LATE_S = 0.06;
/** The rest of a note that should have begun earlier is played if it lasts for longer. */
const LEAST_REST_S = 0.25;

export class HandOver {
  readonly #orchestra: Orchestra;
  readonly #audio = new AudioTime();
  #progress = new Progress();

  constructor(orchestra: Orchestra) {
    this.#orchestra = orchestra;
  }

  /** Hand over what begins soon, of all that is played. */
  advance(playing: readonly Playing[], nowMs: number): void {
    const { currentTime, state } = this.#orchestra.context;
    // A context that was suspended keeps all that it is given, and plays it at once when it goes on.
    if (state !== 'running') return this.restart();
    this.#audio.sample(currentTime, nowMs);
    this.#progress.keep(playing);
    for (const one of playing) this.#section(one, nowMs);
  }

  /** Play a section in place of another one: notes of that one that were handed over are not played again. */
  replace(section: Section, by: Section): void {
    this.#progress.replace(section, by);
  }

  /** End all notes that sound or were handed over. They are handed over again from the position at that time. */
  restart(): void {
    this.#orchestra.silence();
    this.#progress = new Progress();
  }

  #section(one: Playing, nowMs: number): void {
    const { section, startMs } = one;
    const nowS = positionS(one, nowMs);
    const firstS = Math.max(0, nowS - LATE_S);
    const isNew = this.#progress.isNew(section);
    const [reachedS, toS] = this.#progress.advance(section, nowS + AHEAD_S, firstS);
    // After a pause of the page, as to a listener who comes in the middle: notes that are over are left out.
    const ringing = ringingAt(section.notes, isNew ? 0 : reachedS, firstS, LEAST_REST_S);
    const fromS = Math.max(reachedS, firstS);
    const { context } = this.#orchestra;
    const at = (startTime: number) => Math.max(context.currentTime, this.#audio.at(startMs + startTime * 1000));
    for (const note of [...ringing, ...beginning(section.notes, fromS, toS)]) {
      this.#orchestra.note(note, section.instruments, at(note.startTime));
    }
    for (const stroke of beginning(section.drums ?? [], fromS, toS)) this.#orchestra.stroke(stroke, at(stroke.startTime));
  }
}
