// The page: a list of recordings, each answered by /v1/predict and, once it is looked at, by
// /v1/segments; files that are calls by /v1/call; live audio by the WebSocket /v1/stream.
import { offer, offerAll, show, tabulate } from "./answer.js";
import { showCall, wordsOfCall } from "./call.js";
import { clock, colours, make, words } from "./emotions.js";
import { open, wav } from "./microphone.js";
import { ask, models, stream } from "./service.js";
import { Timeline, lanesOf, outline, peakOf } from "./timeline.js";

const WINDOW_S = 3, HOP_S = 1, LIVE_SHOWN_S = 60, LONGEST_S = 600, AT_ONCE = 2;
const OTHER_CHOICE = "recognise it without splitting channels"; // as the server says it
const NO_SPEECH = { label: null, confidence: null, confident: null, probabilities: null };
const find = (name) => document.querySelector(`#emotone-${name}`);
const audio = find("audio");
const items = []; // {name, sound, isFile, isCall, state, model, labels, threshold, whole, segments, peaks, relativeTo, error}
let selected = null;
let reference = null; // {item, answers}: a neutral recording, and what each model answers to it
let isNew = false; // whether the page has not gone to it yet
let capturing = null; // {kind, microphone, socket, pieces, seconds, segments, peaks, …}
let working = 0;

const timeline = new Timeline(find("timeline"), (time) => {
  if (audio.readyState) audio.currentTime = time;
  follow(time);
});

function status(text) { find("status").textContent = text; }

function fail(text) {
  find("error").textContent = text;
  find("error").hidden = !text;
}

function chosen() {
  const { value, about } = find("model").selectedOptions[0];
  return { model: value, labels: about.labels, threshold: about.confident_from, takesNeutral: about.neutral };
}

// Recordings

function add(sounds) {
  const added = sounds.map(({ name, sound, ...more }) => ({ name, sound, isCall: false, state: "waiting", ...more }));
  items.push(...added);
  if (!added.length) return;
  select(added[0]);
  work();
}

function work() {
  for (let free = AT_ONCE - working; free > 0; free--) answerWaiting();
}

async function answerWaiting() {
  working++;
  for (let item; (item = items.find(({ state }) => state === "waiting"));) await recognise(item);
  working--;
}

async function recognise(item) {
  const isCall = Boolean(item.isFile) && find("voices").value === "split";
  if (item.model !== find("model").value || item.isCall !== isCall) item.segments = item.peaks = null;
  Object.assign(item, chosen(), { isCall, state: "processing", whole: null, error: null });
  item.relativeTo = isCall || item === reference?.item || !item.takesNeutral ? undefined : reference?.item.name;
  update(item);
  const run = item.run = {}; // so that a late answer does not replace that of another model
  try {
    const asked = isCall ? ask("call", { model: item.model, channels: "split" }, item.sound) : ask("predict", { model: item.model }, item.sound, await neutralFor(item));
    const whole = await asked.catch((error) => {
      if (error.code !== "no_speech") throw error;
      return NO_SPEECH;
    });
    const windows = whole.label === null ? await windowsOf(item) : null;
    if (item.run === run) Object.assign(item, { state: "done", whole: { seconds: windows?.seconds, ...whole }, segments: whole.turns ?? windows?.segments ?? item.segments });
  } catch (error) {
    if (item.run === run) Object.assign(item, { state: "failed", error: `${error.message.replace(OTHER_CHOICE, "choose “One speaker”")}.` });
  }
  if (item.run === run) update(item);
}

const said = (item) => item.whole.turns ? wordsOfCall(item.whole) : words(item.whole) + (item === reference?.item ? ", neutral reference" : "");

const windowsOf = async (item) =>
  ask("segments", { model: item.model, window: WINDOW_S, hop: HOP_S }, item.sound, await neutralFor(item));

// What the model of an item answers to the neutral recording, if its answer is relative to one.
async function neutralFor({ model, relativeTo }) {
  if (!relativeTo || !reference) return null;
  const { item, answers } = reference;
  answers[model] ??= ask("predict", { model }, item.sound).catch(({ message }) => {
    delete answers[model];
    throw new Error(`the neutral reference, ${item.name}, has no answer: ${message}`);
  });
  return [(await answers[model]).probabilities];
}

function refer(item) {
  reference = item && { item, answers: {} };
  const others = items.filter((one) => !one.isCall && (one !== item || one.relativeTo));
  for (const one of others) one.segments = null;
  again(others);
  list();
  look();
}

function update(item) {
  list();
  announce();
  if (item === selected) look();
}

function list() {
  const rows = items.map((item) => {
    const state = { waiting: "waiting", processing: "processing …", failed: `error: ${item.error}` }[item.state] ?? said(item);
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = (item.whole && colours(item.labels).get(item.whole.label)) ?? "none";
    const row = make("button", { type: "button", class: "recording", ...(item === selected && { "aria-current": "true" }) },
      swatch, make("span", { class: "name" }, item.name), make("span", { class: "said" }, state));
    row.addEventListener("click", () => select(item));
    return make("li", {}, row);
  });
  const focused = [...find("list").children].findIndex((row) => row.contains(document.activeElement));
  find("list").replaceChildren(...rows);
  rows[focused]?.firstChild.focus();
  find("recordings").hidden = !items.length;
  offerAll(items);
}

function announce() {
  const [failed, open] = [["failed"], ["waiting", "processing"]].map((states) => items.filter(({ state }) => states.includes(state)).length);
  if (open) status(items.length > 1 ? `${items.length - open} of ${items.length} recordings answered …` : `Processing ${items[0].name} …`);
  else if (items.length > 1) status(`${items.length} recordings answered${failed ? `, ${failed} of them with an error` : ""}.`);
  else if (items.length) status(failed ? `${items[0].name} has no answer.` : `${items[0].name}: ${said(items[0])}.`);
}

// Answers

function select(item) {
  selected = item;
  isNew = true;
  list();
  look();
}

// In one column, what is chosen is below the list: go there once.
function arrive() {
  if (isNew && matchMedia("(max-width: 960px)").matches) find("status").scrollIntoView();
  isNew = false;
}

function look() {
  const item = selected, { name, whole, error, sound } = item ?? {};
  fail(error ? `${name}: ${error}` : "");
  find("empty").hidden = item !== null;
  find("answer").hidden = !whole;
  find("course").hidden = true;
  if (error) arrive();
  listen(null);
  if (!whole) return;
  (whole.turns ? showCall : show)(item);
  find("reference").hidden = Boolean(whole.turns) || whole.label === null || !item.takesNeutral;
  find("neutral").setAttribute("aria-pressed", item === reference?.item);
  listen(sound);
  course(item).catch((problem) => item === selected && fail(`${name}: ${problem.message}.`));
}

// Show the course over time, for which windows and waveform are needed.
async function course(item) {
  const run = item.run;
  const segments = item.segments ?? (await windowsOf(item)).segments;
  const peaks = item.peaks ?? await outline(item.sound, Boolean(item.whole.turns));
  if (item.run !== run) return; // its answer has changed
  Object.assign(item, { segments, peaks });
  if (item !== selected) return;
  draw(item, { from: 0, to: item.whole.seconds, slides: true });
  follow(0);
  arrive();
}

function draw(item, span) {
  find("course").hidden = false;
  timeline.show({ lanes: lanesOf(item.segments, item.peaks, item.whole.speakers), labels: item.labels, ...span });
  tabulate(item.segments);
  offer(item);
}

function listen(sound) {
  audio.pause();
  if (audio.src) URL.revokeObjectURL(audio.src);
  if (sound) audio.src = URL.createObjectURL(sound);
  else audio.removeAttribute("src");
  find("play").hidden = !sound;
  find("play").disabled = false;
  find("now").textContent = "";
}

function follow(time) {
  timeline.move(time);
  find("now").textContent = `${clock(time)} / ${clock(timeline.shown.to)} · ${timeline.said(time)}`;
}

function play() {
  if (!audio.paused) return audio.pause();
  audio.play().catch((error) => error.name === "NotSupportedError" && mute());
}

function mute() {
  find("play").disabled = true;
  status("This browser cannot play the recording; its answer is not affected.");
}

function step() {
  if (timeline.shown && audio.src && !audio.seeking) follow(audio.currentTime);
  if (!audio.paused) requestAnimationFrame(step);
}

// The microphone: recorded and then sent, or live

async function capture(kind) {
  if (capturing) return finish();
  const session = capturing = { kind, ...chosen(), pieces: [], seconds: 0, segments: [], peaks: [] };
  fail("");
  press(session, true);
  session.relativeTo = session.takesNeutral ? reference?.item.name : undefined;
  try {
    session.neutral = kind === "live" ? await neutralFor(session) : null;
    session.microphone = await open((samples) => hear(session, samples));
  } catch (error) {
    press(session, false);
    capturing = null;
    return fail(error.message);
  }
  if (capturing !== session) return session.microphone.close(); // stopped before it began
  if (kind === "live") connect(session);
  status(kind === "live" ? `Live: the first answer comes after ${WINDOW_S} s.` : "Recording.");
}

function press({ kind }, on) {
  find(kind).setAttribute("aria-pressed", on);
  find(kind).textContent = on ? "Stop" : { record: "Record", live: "Live" }[kind];
}

function hear(session, samples) {
  const { kind, socket, microphone, pieces } = session;
  if (session !== capturing || (kind === "live" && socket?.readyState !== WebSocket.OPEN)) return;
  socket?.send(samples);
  session.seconds += samples.length / microphone.rate;
  session.peaks.push(peakOf(samples));
  if (session.seconds <= LONGEST_S) pieces.push(samples);
  else if (kind === "record") return finish();
  find(kind).textContent = `Stop (${clock(session.seconds)})`;
}

function connect(session) {
  const { microphone, model, neutral } = session;
  const socket = session.socket = stream({ rate: Math.round(microphone.rate), format: "f32le", window: WINDOW_S, hop: HOP_S, model,
    ...(neutral && { neutral: JSON.stringify(neutral) }) });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    session.segments.push(JSON.parse(data));
    lookLive(session);
  };
  socket.onclose = ({ code, reason }) => {
    if (code !== 1000) session.error = `Live audio ended: ${reason || "the server does not answer, or the connection broke; try again"}.`;
    if (capturing === session) stop(session);
    ended(session);
  };
}

function lookLive({ segments, peaks, labels, model, threshold, seconds, relativeTo }) {
  const last = segments.at(-1), from = Math.max(0, last.end - LIVE_SHOWN_S);
  const item = selected = { name: "live", live: true, labels, model, threshold, relativeTo, whole: { ...last, seconds: last.end }, segments };
  find("answer").hidden = false;
  find("reference").hidden = true;
  find("empty").hidden = true;
  if (segments.length === 1) status("Live: an answer each second.");
  list();
  listen(null);
  show(item);
  draw({ ...item, segments: segments.filter(({ end }) => end > from), peaks: [peaks.slice(Math.floor(from / seconds * peaks.length))] },
    { from, to: last.end, slides: false });
  offer(item); // all windows, not only those that are drawn
}

function finish() {
  const session = capturing;
  stop(session);
  if (session.socket?.readyState === WebSocket.OPEN) session.socket.send("end");
  else if (session.socket) session.socket.close();
  else ended(session);
}

function stop(session) {
  capturing = null;
  session.microphone?.close();
  press(session, false);
}

// What was recorded becomes an item of the list, as any file; live audio keeps its windows.
async function ended({ kind, microphone, pieces, seconds, segments, model, error }) {
  status(`${kind === "live" ? "Live audio" : "The recording"} ended after ${clock(seconds)}.`);
  if (pieces.length && seconds <= LONGEST_S && (kind === "record" || segments.length)) {
    const name = `${kind === "live" ? "Live" : "Recording"} ${new Date().toTimeString().slice(0, 8)}`;
    add([{ name, sound: await wav(pieces, microphone.rate), model, segments: segments.length ? segments : null }]);
  }
  if (error) fail(error);
}

// Events

document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
const addFiles = (files) => add([...files].map((file) => ({ name: file.name, sound: file, isFile: true })));
find("file").addEventListener("change", ({ target }) => {
  addFiles(target.files);
  target.value = ""; // the same file again is a change
});
for (const kind of ["dragover", "drop", "dragleave"])
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    find("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") addFiles(event.dataTransfer.files);
  });
function again(changed) {
  for (const item of changed) Object.assign(item, { state: "waiting", run: null });
  if (changed.length) select(items.includes(selected) ? selected : changed[0]);
  work();
}
find("model").addEventListener("change", () => again(items));
find("voices").addEventListener("change", () => again(items.filter(({ isFile }) => isFile)));
for (const kind of ["record", "live"]) find(kind).addEventListener("click", () => capture(kind));
for (const button of document.querySelectorAll("[data-sample]"))
  button.addEventListener("click", async () => {
    const sound = await (await fetch(`page/samples/${button.dataset.sample}`)).blob();
    add([{ name: `${button.textContent} (synthetic)`, sound }]);
  });
find("neutral").addEventListener("click", () => refer(selected === reference?.item ? null : selected));
find("clear").addEventListener("click", () => {
  items.length = 0;
  reference = null;
  select(null);
  status("The list is empty.");
  find("file").focus();
});
find("play").addEventListener("click", play);
for (const kind of ["play", "pause", "seeked"]) audio.addEventListener(kind, step);
for (const kind of ["play", "pause"])
  audio.addEventListener(kind, () => { find("play").textContent = audio.paused ? "Play" : "Pause"; });
audio.addEventListener("error", () => audio.src && mute());

models().then((found) => find("model").append(...found.map((about) => Object.assign(
  new Option(`${about.name.split("/").pop()}, ${about.labels.length} emotions`, about.name), { about }))),
).catch((error) => fail(`The models cannot be listed: ${error.message}.`));
