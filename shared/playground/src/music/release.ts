// What sounds no longer is let go. Pure.

/** What of a source of an audio context matters here. */
interface Source {
  stop(): void;
  disconnect(...from: unknown[]): void;
}

/**
 * The source, which stops as soon as it is disconnected from everything.
 *
 * A browser keeps each source that was started, and all that it was connected to, until it stops. The
 * voices' synthesizers only disconnect those that control their oscillators.
 */
export function stoppedOnRelease<S extends Source>(source: S): S {
  const disconnect = source.disconnect.bind(source);
  return Object.assign(source, {
    disconnect: (...from: unknown[]) => {
      disconnect(...from);
      if (from.length === 0) source.stop();
    },
  });
}
