// What is sent of a measurement: few numbers, as many as one can see. Pure.

const BANDS = 40;
const SAMPLES = 64;
const MAX_BYTE = 255;
/** Of the bins, the first: below it is nothing but the microphone's hum. */
const FIRST_BIN = 2;
/** Above this part of the bins there is little to see. */
const LAST_PART = 0.55;

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** The loudest of each band of a spectrum in bytes, from 0 to 1; each band is wider than the one below it. */
export function bandsOf(spectrum: Uint8Array): number[] {
  const last = spectrum.length * LAST_PART;
  const edge = (band: number) => FIRST_BIN * (last / FIRST_BIN) ** (band / BANDS);
  return Array.from({ length: BANDS }, (_, band) => {
    const from = Math.floor(edge(band));
    const to = Math.max(from + 1, Math.floor(edge(band + 1)));
    return rounded(Math.max(...spectrum.subarray(from, to)) / MAX_BYTE);
  });
}

/** Samples in bytes, from -1 to 1, of which every so many-th is kept. */
export function samplesOf(samples: Uint8Array): number[] {
  const every = Math.max(1, Math.floor(samples.length / SAMPLES));
  return Array.from({ length: Math.min(SAMPLES, samples.length) }, (_, index) =>
    rounded(((samples[index * every] ?? 128) - 128) / 128),
  );
}
