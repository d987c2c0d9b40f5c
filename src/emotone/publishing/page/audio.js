// Audio files to a waveform of 16 kHz, mono, as emotone.audio makes it. WAV is decoded here, sample
// by sample; other formats are left to the browser.
export const RATE = 16000;
const MIN_RATE = 1000, MAX_RATE = 1000000, MAX_CHANNELS = 64;
const MAX_LEVEL = 65536, SPIKE = 10, RARE = 1000; // see emotone.audio.mixing
const CANCELLED = 0.2, REGAINED = 2, PART_S = 0.1, MEMORY_S = 5;
const PCM = 1, FLOAT = 3, EXTENSIBLE = 0xfffe;
// soxr's "high quality": edge of its pass band in shares of the lower Nyquist frequency, and the
// Kaiser window for 126 dB, whose taps are WIDTH / transition band; 70 dB below the signal it differs
const PASS = 0.91363, BETA = 12.9, WIDTH = 8.296, RHO = 0.63;

const text = (view, at) => String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, 4));

/** The channels and the rate of a WAV file; null if it is another format or has another coding. */
export function decodeWav(buffer) {
  const view = new DataView(buffer), size = buffer.byteLength;
  if (size < 12 || text(view, 0) !== "RIFF" || text(view, 8) !== "WAVE") return null;
  let format = null;
  for (let at = 12; at + 8 <= size;) {
    const name = text(view, at), length = view.getUint32(at + 4, true), start = at + 8;
    if (name === "fmt " && start + 16 <= size) format = readFormat(view, start, length);
    if (name === "data") {
      if (format === null) return null;
      const open = length === 0 || (length >= 0x7fff0000 && length <= 0x80000100) || length >= 0xffff0000;
      if (!open && length > size) // some programs count from the beginning of the file
        throw new Error(`truncated: ${start + length - size} of ${length} bytes are missing; copy the file again`);
      return { channels: samplesOf(view, start, open ? size : Math.min(start + length, size), format), rate: format.rate };
    }
    at = start + length + (length % 2);
  }
  throw new Error("truncated: its sound is missing; copy the file again");
}

function readFormat(view, at, length) {
  let coding = view.getUint16(at, true);
  if (coding === EXTENSIBLE && length >= 26) coding = view.getUint16(at + 24, true);
  const channels = view.getUint16(at + 2, true), width = view.getUint16(at + 12, true) / channels;
  const read = {
    [`${PCM} 1`]: (place) => (view.getUint8(place) - 128) / 128,
    [`${PCM} 2`]: (place) => view.getInt16(place, true) / 2 ** 15,
    [`${PCM} 3`]: (place) => ((view.getUint16(place, true) << 8) | (view.getUint8(place + 2) << 24)) / 2 ** 31,
    [`${PCM} 4`]: (place) => view.getInt32(place, true) / 2 ** 31,
    [`${FLOAT} 4`]: (place) => view.getFloat32(place, true),
    [`${FLOAT} 8`]: (place) => view.getFloat64(place, true),
  }[`${coding} ${width}`];
  return read ? { read, channels, width, rate: view.getUint32(at + 4, true) } : null;
}

function samplesOf(view, start, stop, { read, channels, width }) {
  const count = Math.floor((stop - start) / (width * channels));
  const planes = Array.from({ length: channels }, () => new Float32Array(count));
  for (let i = 0, at = start; i < count; i++)
    for (let c = 0; c < channels; c++, at += width) planes[c][i] = read(at);
  return planes;
}

/** The rate at which the browser shall decode: that of a FLAC file, otherwise 48 kHz. */
export function ownRate(buffer) {
  const bytes = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, 42));
  const isFlac = bytes.length === 42 && String.fromCharCode(...bytes.subarray(0, 4)) === "fLaC";
  const rate = isFlac ? (bytes[18] << 12) | (bytes[19] << 4) | (bytes[20] >> 4) : 0;
  return rate >= 3000 && rate <= 384000 ? rate : 48000; // the rates that Chromium accepts
}

/** Channels at any rate to 16 kHz, mono; throws an Error that says what is wrong. */
export function waveformOf(channels, rate) {
  if (!(rate >= MIN_RATE && rate <= MAX_RATE))
    throw new Error(`the sampling rate must be from ${MIN_RATE} Hz to ${MAX_RATE} Hz, got ${rate} Hz`);
  if (channels.length > MAX_CHANNELS) throw new Error(`${channels.length} channels, at most ${MAX_CHANNELS} are accepted`);
  if (!channels.length || !channels[0].length) throw new Error("the file holds no samples; record it again");
  checkLevel(channels);
  return resampled(mixed(channels, rate), rate);
}

function checkLevel(channels) {
  let beyond = 0, whole = true, worst = 0, place = 0;
  for (const plane of channels)
    for (let i = 0; i < plane.length; i++) {
      const level = Math.abs(plane[i]);
      if (!(level <= MAX_LEVEL))
        throw new Error(Number.isFinite(level) ? `sample ${i} is ${plane[i]}, where full scale is 1; scale or export the audio again`
          : `contains NaN or infinite samples: sample ${i}; export the audio again`);
      if (level > 1) beyond++;
      else if (level % 1) whole = false;
      if (level > worst) [worst, place] = [level, i];
    }
  if (worst > SPIKE && !whole && RARE * beyond <= channels.length * channels[0].length)
    throw new Error(`sample ${place} is ${worst}, while nearly all are within ±1, which is full scale; repair the recording`);
}

/** The average of the channels; where they cancel, the loudest of them. */
function mixed(channels, rate) {
  if (channels.length === 1) return channels[0];
  const count = channels[0].length, sum = new Float32Array(count);
  for (const plane of channels) for (let i = 0; i < count; i++) sum[i] += plane[i];
  const mono = sum.map((sample) => sample / channels.length);
  const part = Math.max(Math.round(rate * PART_S), 1), decay = Math.exp(-PART_S / MEMORY_S);
  const energies = new Float64Array(channels.length + 1);
  let chosen = -1;
  for (let start = 0; start < count; start += part) {
    [...channels, sum].forEach((plane, c) => { energies[c] = decay * energies[c] + energy(plane.subarray(start, start + part), part); });
    const loudest = energies.subarray(0, channels.length).reduce((best, one, c, all) => (one > all[best] ? c : best), 0);
    if (!(energies[channels.length] < CANCELLED * energies[loudest])) chosen = -1;
    else if (chosen < 0 || energies[loudest] > REGAINED * energies[chosen]) chosen = loudest;
    if (chosen >= 0) mono.set(channels[chosen].subarray(start, start + part), start);
  }
  return mono;
}

/** Without the offset; a part that ends early counts as one padded with zeros. */
function energy(samples, size) {
  let sum = 0, squares = 0;
  for (const sample of samples) { sum += sample; squares += sample * sample; }
  return Math.max(squares - (sum * sum) / size, 0);
}

/** To 16 kHz by a windowed sinc with the pass band and the attenuation of soxr. */
function resampled(samples, rate) {
  if (rate === RATE) return samples;
  const lower = Math.min(rate, RATE) / rate, cutoff = ((1 + PASS) / 2) * lower;
  const taps = Math.ceil(WIDTH / (((1 - PASS) / 2) * lower) + 1), half = (taps - 1) / 2;
  const filters = new Map(); // by the phase, of which there are RATE / gcd(rate, RATE)
  const filter = (phase) => {
    const first = Math.ceil(phase / RATE - half), values = [];
    for (let k = first; k <= phase / RATE + half; k++) values.push(lowpass(phase / RATE - k, cutoff, half));
    return { first, values: Float64Array.from(values) };
  };
  const made = new Float32Array(Math.round((samples.length * RATE) / rate));
  for (let i = 0; i < made.length; i++) {
    const middle = Math.floor((i * rate) / RATE), phase = (i * rate) % RATE;
    if (!filters.has(phase)) filters.set(phase, filter(phase));
    const { first, values } = filters.get(phase), start = middle + first;
    let sum = 0;
    for (let k = Math.max(-start, 0), end = Math.min(values.length, samples.length - start); k < end; k++)
      sum += values[k] * samples[start + k];
    made[i] = sum;
  }
  return made;
}

function lowpass(distance, cutoff, half) {
  const x = Math.PI * cutoff * distance, y = distance / (half + RHO);
  return cutoff * (x ? Math.sin(x) / x : 1) * (bessel(BETA * Math.sqrt(Math.max(1 - y * y, 0))) / bessel(BETA));
}

/** The modified Bessel function of order 0, by its power series. */
function bessel(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) { term *= (x / (2 * k)) ** 2; sum += term; }
  return sum;
}
