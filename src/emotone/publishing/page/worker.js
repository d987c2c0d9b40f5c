// Recognises away from the page, which stays usable: {number, channels, rate} comes in,
// {number, share}, {number, answer} or {number, error, seconds} goes out, and {ready} or {failed} at first.
import * as ort from "./ort.js";
import { waveformOf } from "./audio.js";
import { Recognizer } from "./recognition.js";

ort.env.wasm.numThreads = 1; // more need headers that most static servers do not send
ort.env.wasm.wasmPaths = { wasm: new URL("ort.wasm", import.meta.url).href };
ort.env.logLevel = "error";
const OPTIONS = { executionProviders: ["wasm"], logSeverityLevel: 3 };

async function content(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} is missing on the server; export the page again`);
  return answer;
}

async function load() {
  const model = await (await content("model.json")).json();
  const sessions = ["model.onnx", "silero_vad.onnx"].map(async (name) =>
    ort.InferenceSession.create(new Uint8Array(await (await content(name)).arrayBuffer()), OPTIONS));
  return new Recognizer(ort, ...(await Promise.all(sessions)), model);
}

const recognizer = load();
recognizer.then(
  async (loaded) => {
    await loaded.predict(Float32Array.from({ length: 16000 }, (_, i) => 0.1 * Math.sin(i / 10))).catch(() => {}); // the first run is slow
    postMessage({ ready: true });
  },
  (error) => postMessage({ failed: error.message }),
);

onmessage = async ({ data: { number, channels, rate } }) => {
  const seconds = channels[0].length / rate;
  try {
    const loaded = await recognizer, waveform = waveformOf(channels, rate);
    postMessage({ number, answer: await loaded.predict(waveform, (share) => postMessage({ number, share })) });
  } catch (error) {
    postMessage({ number, error: error.message, seconds });
  }
};
