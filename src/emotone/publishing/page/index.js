// The page: one recording or the microphone, answered by the worker; no audio leaves the browser.
import { show } from "./page/answer.js";
import { words } from "./page/emotions.js";
import { open, wav } from "./page/microphone.js";
import { decodeWav, ownRate } from "./audio.js";

const NO_SPEECH = /^(no speech found|silent throughout)/;
const LONGEST_S = 600; // of the microphone
const find = (name) => document.querySelector(`#emotone-${name}`);
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const model = fetch("model.json").then((answer) => answer.json());
let asked = 0; // number of the last request: what comes of earlier ones is dropped
let current = null; // {name, sound, started} of it
let recording = null; // {microphone, pieces, seconds}

function status(text) { find("status").textContent = text; }

function fail(text) {
  find("error").textContent = text;
  find("error").hidden = !text;
  if (text) status("");
}

async function recognise(sound, name) {
  const number = ++asked;
  current = { name, sound, started: performance.now() };
  fail("");
  find("answer").hidden = true;
  status(`Processing ${name} …`);
  try {
    const { channels, rate } = await decode(sound);
    if (number === asked) worker.postMessage({ number, channels, rate }, channels.map((one) => one.buffer));
  } catch (error) {
    if (number === asked) fail(`${name}: ${error.message}.`);
  }
}

async function decode(sound) {
  const buffer = await sound.arrayBuffer();
  const exact = decodeWav(buffer);
  if (exact) return exact;
  const context = new OfflineAudioContext(1, 1, ownRate(buffer));
  const audio = await context.decodeAudioData(buffer).catch(() => {
    throw new Error("not audio that this browser can decode, or damaged; convert it to WAV");
  });
  const channels = Array.from({ length: audio.numberOfChannels }, (_, channel) => audio.getChannelData(channel).slice());
  return { channels, rate: audio.sampleRate };
}

worker.onmessage = ({ data }) => {
  if (data.failed) return fail(`The model cannot be loaded: ${data.failed}.`);
  if (data.ready) return ready();
  if (data.number !== asked) return;
  if (data.share !== undefined) status(`Processing ${current.name} … ${Math.round(100 * data.share)} %`);
  else answered(data);
};
worker.onerror = ({ message }) => fail(`The model cannot be loaded: ${message || "a file is missing on the server"}.`);

function ready() {
  find("file").disabled = find("record").disabled = false;
  status("Ready.");
}

async function answered({ answer, error, seconds }) {
  if (error && !NO_SPEECH.test(error)) return fail(`${current.name}: ${error}.`);
  const { name, confident_from: threshold, labels } = await model;
  const whole = answer ?? { label: null, confidence: null, confident: null, probabilities: null, seconds };
  show({ name: current.name, model: name, labels, threshold, whole });
  find("empty").hidden = true;
  find("answer").hidden = false;
  attach(find("audio"), "src", current.sound);
  attach(find("json"), "href", new Blob([JSON.stringify({ file: current.name, ...whole, model: name }, null, 1)], { type: "application/json" }));
  status(`${current.name}: ${words(whole)}, in ${Math.round(performance.now() - current.started)} ms.`);
}

function attach(element, attribute, content) {
  if (element[attribute].startsWith("blob:")) URL.revokeObjectURL(element[attribute]);
  element[attribute] = URL.createObjectURL(content);
}

async function record() {
  if (recording) return stop();
  fail("");
  asked++;
  find("answer").hidden = true;
  const mine = recording = { pieces: [], seconds: 0 };
  try {
    mine.microphone = await open((samples) => take(mine, samples));
    if (recording !== mine) return mine.microphone.close();
    find("record").textContent = "Stop";
    find("record").setAttribute("aria-pressed", "true");
  } catch (error) {
    recording = null;
    fail(error.message);
  }
}

function take(mine, samples) {
  if (recording !== mine || !mine.microphone) return;
  mine.pieces.push(samples);
  mine.seconds += samples.length / mine.microphone.rate;
  status(`Recording: ${mine.seconds.toFixed(0)} s`);
  if (mine.seconds >= LONGEST_S) stop();
}

async function stop() {
  const { microphone, pieces } = recording;
  recording = null;
  microphone?.close();
  find("record").textContent = "Record";
  find("record").setAttribute("aria-pressed", "false");
  if (!pieces.length) return fail("Nothing was recorded; speak for longer.");
  recognise(await wav(pieces, microphone.rate), "recording");
}

document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
find("file").addEventListener("click", ({ target }) => { target.value = ""; }); // the same file again is a change
find("file").addEventListener("change", ({ target }) => target.files[0] && recognise(target.files[0], target.files[0].name));
find("record").addEventListener("click", record);
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
document.addEventListener("drop", ({ dataTransfer }) => {
  const file = dataTransfer.files[0];
  if (file && !find("file").disabled) recognise(file, file.name);
});
