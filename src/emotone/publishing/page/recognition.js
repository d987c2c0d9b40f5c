// Recognition of a waveform, step by step as emotone.Recognizer.predict does it: the speech of it,
// in parts of 10 s, through the network; probabilities are the mean over the parts.
import { RATE } from "./audio.js";

// see emotone.audio.activity
const CHUNK = 512, CONTEXT = 64, STATE = [1, 1, 128];
const SPEECH_FROM = 0.3, SPEECH_UNTIL = 0.15, SHORTEST = 4, LEAST_SPEECH = 13, SOFT = 4, AROUND = 3 * CHUNK, EDGE = 10 ** (-20 / 10);
const BEFORE = 0.064 * RATE, AFTER = 0.16 * RATE, LONGEST_PAUSE = 0.5 * RATE, CONSTANT = Math.fround(1e-5);
const LEVEL = 10 ** (-20 / 20), LOUD = 8, MAX_GAIN = 10 ** (60 / 20), BLOCK = 30 * RATE;
// see emotone.inference.hearing and emotone.audio.windows
const PART = 10 * RATE, LEAST = 0.4 * RATE, SHORTEST_S = 0.025;
const FRAME = RATE / 40, SILENCE = 10 ** (-60 / 10), MIN_SOUND = 0.1 * RATE, PIECE = 60 * RATE;

export class Recognizer {
  /** @param {{labels: string[], temperature: number, confident_from: number, frames: string}} model */
  constructor(ort, network, detector, model) {
    Object.assign(this, { ort, network, detector, model });
  }

  /** @returns {{label, confidence, confident, probabilities, seconds}}; an Error says why there is no answer. */
  async predict(waveform, advance = () => {}) {
    const seconds = waveform.length / RATE;
    if (seconds < SHORTEST_S)
      throw new Error(`${(1000 * seconds).toFixed(1)} ms are too short to show an emotion; at least ${1000 * SHORTEST_S} ms are needed`);
    const onlySpeech = this.model.frames === "speech";
    const heard = onlySpeech ? await this.onlySpeech(waveform, (share) => advance(share / 2)) : waveform;
    const total = new Float64Array(this.model.labels.length);
    let samples = 0, before = 0;
    for (const [start, stop] of windows(heard.length)) {
      const part = heard.subarray(start, stop);
      if (onlySpeech ? part.length >= LEAST : hasSound(part)) {
        (await this.probabilities(part)).forEach((value, label) => { total[label] += (stop - before) * value; });
        samples += stop - before;
      }
      before = stop;
      advance(0.5 + stop / heard.length / 2);
    }
    if (!samples) throw new Error(soundIn(waveform)
      ? "no speech found; it holds noise, music or voices other than speech"
      : "silent throughout (nothing above -60 dBFS); if there is speech in it, make it louder");
    return { ...this.answer(total.map((value) => value / samples)), seconds };
  }

  answer(probabilities) {
    const { labels, confident_from: threshold } = this.model;
    const best = probabilities.indexOf(Math.max(...probabilities)), confidence = probabilities[best];
    return {
      label: labels[best], confidence, confident: confidence >= threshold,
      probabilities: Object.fromEntries(labels.map((label, i) => [label, probabilities[i]])),
    };
  }

  async probabilities(waveform) {
    const inputs = {
      waveform: new this.ort.Tensor("float32", waveform.slice(), [1, waveform.length]),
      lengths: new this.ort.Tensor("int64", BigInt64Array.of(BigInt(waveform.length)), [1]),
    };
    const { logits } = await this.network.run(inputs, ["logits"]);
    const scaled = Array.from(logits.data, (value) => value / this.model.temperature), largest = Math.max(...scaled);
    const exponentials = scaled.map((value) => Math.exp(value - largest));
    const sum = exponentials.reduce((one, other) => one + other);
    return exponentials.map((value) => value / sum);
  }

  /** What is speech, of each block of 30 s. */
  async onlySpeech(waveform, advance) {
    const found = [];
    for (let start = 0; start < waveform.length; start += BLOCK) {
      const block = waveform.subarray(start, start + BLOCK);
      const sound = soundOf(block);
      if (sound.length)
        for (const [begin, end] of speechRegions(await this.speechProbabilities(sound), sound))
          found.push(sound.subarray(begin, end));
      advance(Math.min((start + BLOCK) / waveform.length, 1));
    }
    return joined(found);
  }

  async speechProbabilities(waveform) {
    const count = Math.ceil(waveform.length / CHUNK), width = CONTEXT + CHUNK;
    const mean = waveform.reduce((sum, sample) => sum + sample, 0) / waveform.length;
    const chunks = new Float64Array(count * CHUNK);
    waveform.forEach((sample, i) => { chunks[i] = sample - mean; });
    const levels = Array.from({ length: count }, (_, chunk) => Math.sqrt(power(chunks.subarray(chunk * CHUNK, (chunk + 1) * CHUNK))));
    levels.sort((one, other) => other - one);
    const gain = Math.min(LEVEL / Math.max(levels[Math.min(LOUD, count) - 1], 1e-12), MAX_GAIN);
    const input = new Float32Array(count * width); // each chunk, and before it the end of its predecessor
    for (let chunk = 0; chunk < count; chunk++)
      for (let i = chunk ? 0 : CONTEXT; i < width; i++) input[chunk * width + i] = chunks[chunk * CHUNK - CONTEXT + i] * gain;
    const zeros = () => new this.ort.Tensor("float32", new Float32Array(STATE[2]), STATE);
    const inputs = { input: new this.ort.Tensor("float32", input, [count, width]), h: zeros(), c: zeros() };
    return (await this.detector.run(inputs, ["speech_probs"])).speech_probs.data;
  }
}

/** A recording without digital silence before and after. */
function soundOf(waveform) {
  const constant = (from, step) => {
    let count = 0;
    for (let i = from; i in waveform && Math.abs(Math.fround(waveform[i] - waveform[from])) <= CONSTANT; i += step) count++;
    return count > 1 ? count : 0;
  };
  const before = constant(0, 1), after = constant(waveform.length - 1, -1);
  return waveform.subarray(before, Math.max(waveform.length - after, before));
}

/** Start and end in samples of each region of speech, from the probabilities of its chunks. */
function speechRegions(probabilities, waveform) {
  const runs = [];
  let speaks = false;
  probabilities.forEach((probability, chunk) => {
    const now = probability >= SPEECH_FROM || (speaks && probability >= SPEECH_UNTIL);
    if (now && !speaks) runs.push([chunk, chunk]);
    if (now) runs.at(-1)[1] = chunk + 1;
    speaks = now;
  });
  const regions = [], speech = runs.filter(([first, last]) => last - first >= SHORTEST);
  if (speech.reduce((sum, [first, last]) => sum + last - first + SOFT, 0) < LEAST_SPEECH) return [];
  for (const [begin, end] of edges(waveform, speech)) {
    if (regions.length && begin - regions.at(-1)[1] <= LONGEST_PAUSE) regions.at(-1)[1] = end;
    else regions.push([begin, end]);
  }
  return regions.map(([begin, end]) => [Math.max(begin - BEFORE, 0), Math.min(end + AFTER, waveform.length)]);
}

/** Moves start and stop of each stretch, in chunks, to where its power is, in samples. */
function edges(waveform, runs) {
  const count = waveform.length;
  const mean = waveform.reduce((sum, sample) => sum + sample, 0) / count;
  const energy = new Float64Array(count + 1);
  waveform.forEach((sample, i) => { energy[i + 1] = energy[i] + (sample - mean) ** 2; });
  const around = (i, samples) => {
    const start = i - samples / 2;
    return (energy[Math.min(start + samples, count)] - energy[Math.max(start, 0)]) / samples;
  };
  return runs.map(([start, stop]) => {
    let begin = Math.max(start * CHUNK - AROUND, 0), end = Math.min(stop * CHUNK + AROUND, count);
    let long = 0, short = 0;
    for (let i = begin; i < end; i++) long = Math.max(long, around(i, RATE / 4));
    for (let i = start * CHUNK; i < Math.min(stop * CHUNK, count); i++) short = Math.max(short, around(i, RATE / 100));
    const least = Math.min(long, short) * EDGE; // not that of a neighbour
    while (around(begin, RATE / 100) < least) begin++;
    while (around(end - 1, RATE / 100) < least) end--;
    return [begin, end];
  });
}

/** Windows of 10 s one after the other; the last one ends with the samples and is as long. */
function* windows(samples) {
  let covered = 0;
  for (; covered + PART <= samples; covered += PART) yield [covered, covered + PART];
  if (covered < samples) yield [Math.max(samples - PART, 0), samples];
}

function joined(pieces) {
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) { whole.set(piece, at); at += piece.length; }
  return whole;
}

function soundIn(waveform) {
  for (let start = 0; start < waveform.length; start += PIECE)
    if (hasSound(waveform.subarray(start, start + PIECE))) return true;
  return false;
}

function hasSound(samples) {
  const frames = Math.ceil(samples.length / FRAME);
  let loud = 0;
  for (let start = 0; start < samples.length; start += FRAME)
    if (power(samples.subarray(start, start + FRAME), FRAME) > SILENCE) loud++;
  return loud * FRAME >= MIN_SOUND || loud === frames;
}

function power(samples, count = samples.length) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum / count;
}
