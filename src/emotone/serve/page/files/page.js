// The page uses the documented interface, as any client does: /v1/predict, /v1/segments and the
// WebSocket /v1/stream. Names, labels and messages are put in as text, never as markup.
const find = (name) => document.querySelector(`#emotone-${name}`);
const WINDOW_S = 3, HOP_S = 1, PEAKS_PER_S = 20, LIVE_SHOWN_S = 60, ROW = 22, WAVE = 56, LABELS = 84;
let shown = null; // what the page shows: {name, model, whole, segments, peaks, labels}
let live = null;
let last = null; // the last recording, to be recognised again with another model
let asked = 0; // number of the last request, so that a late answer does not replace a newer one

function make(name, attributes, text = "", space = "http://www.w3.org/1999/xhtml") {
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(text);
  return made;
}

const draft = (name, attributes, text) => make(name, attributes, text, "http://www.w3.org/2000/svg");

function status(text) { find("status").textContent = text; }

function fail(text) {
  find("error").textContent = text;
  find("error").hidden = !text;
}

async function models() {
  const answer = await fetch("v1/models");
  if (!answer.ok) throw new Error("the models cannot be listed");
  for (const model of await answer.json()) {
    const option = new Option(`${model.name.split("/").pop()}, ${model.labels.length} emotions`, model.name);
    option.labels = model.labels;
    find("model").add(option);
  }
}

const model = () => find("model").selectedOptions[0];

async function ask(path, sound) {
  const answer = await fetch(`v1/${path}${path.includes("?") ? "&" : "?"}model=${encodeURIComponent(model().value)}`,
    { method: "POST", body: sound, headers: { "Content-Type": "application/octet-stream" } });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${said.error.message}: ${said.error.hint}.`);
  return said;
}

async function recognise(sound, name) {
  stop();
  last = { sound, name };
  const number = ++asked;
  fail("");
  find("answer").hidden = true;
  status(`Processing ${name} …`);
  try {
    const labels = model().labels;
    const whole = await ask("predict", sound);
    const { segments } = await ask(`segments?window=${WINDOW_S}&hop=${HOP_S}`, sound);
    const peaks = await outline(sound);
    if (number !== asked) return;
    shown = { name, model: model().value, whole, segments, peaks, labels, seconds: whole.seconds, from: 0 };
    URL.revokeObjectURL(find("player").src);
    find("player").src = URL.createObjectURL(sound);
    find("player").hidden = false;
    status(`${name}: ${whole.seconds.toFixed(1)} s processed.`);
    show();
  } catch (error) {
    if (number !== asked) return;
    status("");
    fail(error.message);
  }
}

async function outline(sound) {
  const context = new OfflineAudioContext(1, 1, 16000);
  try {
    const samples = (await context.decodeAudioData(await sound.arrayBuffer())).getChannelData(0);
    return peaksOf(samples, 16000 / PEAKS_PER_S);
  } catch { // the server decodes formats that this browser does not; then no waveform is drawn
    return [];
  }
}

function peaksOf(samples, size) {
  const peaks = [];
  for (let start = 0; start < samples.length; start += size) {
    let peak = 0;
    for (const sample of samples.subarray(start, start + size)) peak = Math.max(peak, Math.abs(sample));
    peaks.push(peak);
  }
  return peaks;
}

function show() {
  const { whole, labels } = shown;
  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  find("answer").hidden = false;
  find("label").textContent = whole.label === null ? "no speech"
    : `${whole.label}${whole.confident ? "" : ", not sure"} (${percent(whole.confidence)})`;
  const rows = labels.map((label) => {
    const share = whole.probabilities?.[label] ?? 0;
    const row = make("li", { class: whole.confident ? "" : "unsure" });
    const track = make("div", { class: "track", "aria-hidden": "true" });
    const bar = make("div", { class: "share" });
    bar.style.width = `${100 * share}%`;
    track.append(bar);
    row.append(make("span", {}, label), track, make("span", {}, percent(share)));
    return row;
  });
  find("bars").replaceChildren(...rows);
  draw();
  offer();
}

function draw() {
  const { segments, peaks, labels, seconds, from } = shown;
  const svg = find("timeline"), width = Math.max(svg.clientWidth, 280);
  const height = WAVE + 8 + ROW * labels.length + 22;
  const x = (time) => LABELS + (width - LABELS) * Math.min(Math.max((time - from) / Math.max(seconds - from, 0.1), 0), 1);
  const largest = Math.max(1e-3, ...peaks);
  const parts = [];
  const step = (width - LABELS) / Math.max(peaks.length, 1);
  peaks.forEach((peak, i) => {
    const tall = Math.max(WAVE * peak / largest, 1);
    parts.push(draft("rect", { x: (LABELS + i * step).toFixed(1), y: ((WAVE - tall) / 2).toFixed(1),
      width: Math.max(step, 0.5).toFixed(2), height: tall.toFixed(1), fill: "currentColor", opacity: 0.7 }));
  });
  labels.forEach((label, row) => {
    const y = WAVE + 8 + row * ROW;
    parts.push(draft("text", { x: 0, y: y + 15, fill: "currentColor" }, label));
    parts.push(draft("rect", { x: LABELS, y, width: width - LABELS, height: ROW - 2, fill: "none", stroke: "currentColor", "stroke-opacity": 0.25 }));
  });
  // each window is drawn around its middle, up to half way to its neighbours
  const middles = segments.map((one) => (one.start + one.end) / 2);
  segments.forEach((one, i) => {
    if (one.label === null) return;
    const left = x(i ? (middles[i - 1] + middles[i]) / 2 : one.start);
    const right = x(i + 1 < segments.length ? (middles[i] + middles[i + 1]) / 2 : one.end);
    labels.forEach((label, row) => {
      const share = one.probabilities[label], y = WAVE + 8 + row * ROW;
      parts.push(draft("rect", { x: left.toFixed(1), y, width: (right - left).toFixed(1), height: ROW - 2,
        fill: "currentColor", opacity: (0.85 * share).toFixed(3) }));
      if (label === one.label && right - left > 26)
        parts.push(draft("text", { x: ((left + right) / 2).toFixed(1), y: y + 14, "text-anchor": "middle",
          class: share > 0.5 ? "on-dark" : "", fill: "currentColor" }, `${Math.round(100 * share)}${one.confident ? "" : "?"}`));
    });
  });
  for (const share of [0, 0.5, 1]) {
    const time = from + share * (seconds - from);
    parts.push(draft("text", { x: x(time).toFixed(1), y: height - 4, fill: "currentColor",
      "text-anchor": ["start", "middle", "end"][2 * share] }, `${time.toFixed(1)} s`));
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.setAttribute("aria-label", "Emotion over time. " + segments.map((one) =>
    `${one.start.toFixed(0)} to ${one.end.toFixed(0)} seconds: ${one.label ?? "no speech"}${one.confident === false ? ", not sure" : ""}`).join("; "));
  svg.replaceChildren(...parts);
}

function offer() {
  const { name, model, whole, segments, labels } = shown;
  const rows = segments.map((one) => [one.start, one.end, one.label ?? "", one.confidence ?? "", one.confident ?? "",
    ...labels.map((label) => one.probabilities?.[label] ?? "")]);
  const header = ["start", "end", "label", "confidence", "confident", ...labels.map((label) => `p_${label}`)];
  const quoted = (cell) => /[",\r\n]/.test(cell) ? `"${`${cell}`.replaceAll('"', '""')}"` : cell;
  const csv = [header, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  const json = JSON.stringify({ file: name, ...whole, model, segments }, null, 1);
  for (const [kind, text, type] of [["json", json, "application/json"], ["csv", csv, "text/csv"]]) {
    const link = find(kind);
    if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([text], { type }));
  }
}

async function talk() {
  if (live) return stop();
  ++asked;
  last = null;
  fail("");
  let media, context;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: true });
    context = new AudioContext();
    await context.audioWorklet.addModule("page/recorder.js");
  } catch (error) {
    media?.getTracks().forEach((track) => track.stop());
    return fail(navigator.mediaDevices ? `The microphone cannot be used (${error.message}); allow it in the browser.`
      : "This browser gives the microphone to pages over HTTPS or from this computer only.");
  }
  const rate = context.sampleRate, labels = model().labels;
  const address = new URL("v1/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams({ rate, format: "f32le", window: WINDOW_S, hop: HOP_S, model: model().value });
  const socket = new WebSocket(address);
  const recorder = new AudioWorkletNode(context, "emotone-recorder");
  live = { media, context, socket, recorder };
  const mine = live;
  const all = { segments: [], peaks: [], seconds: 0, shownAt: 0 };
  recorder.port.onmessage = ({ data }) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(data.buffer);
    all.peaks.push({ time: all.seconds, peak: data.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) });
    all.seconds += data.length / rate;
    if (!all.segments.length) status(`Live: ${all.seconds.toFixed(0)} s recorded, the first answer comes after ${WINDOW_S} s.`);
  };
  socket.onmessage = ({ data }) => {
    const one = JSON.parse(data);
    all.segments.push(one);
    const from = Math.max(0, one.end - LIVE_SHOWN_S);
    shown = {
      name: "live", model: model().value, labels, seconds: one.end, from, whole: { ...one, seconds: one.end },
      segments: all.segments, peaks: all.peaks.filter((p) => p.time >= from).map((p) => p.peak),
    };
    find("player").hidden = true;
    status(`Live: ${one.end.toFixed(0)} s processed.`);
    const everything = shown.segments;
    shown.segments = everything.filter((segment) => segment.end > from);
    show();
    shown.segments = everything; // the downloads hold all
    offer();
    shown.segments = everything.filter((segment) => segment.end > from);
  };
  socket.onclose = ({ code, reason }) => {
    if (live === mine) stop();
    status(`Live: ended after ${all.seconds.toFixed(0)} s.`);
    if (code !== 1000) fail(`The stream ended: ${reason || "the connection broke"}.`);
  };
  context.createMediaStreamSource(media).connect(recorder);
  find("talk").textContent = "Stop";
  find("talk").setAttribute("aria-pressed", "true");
}

function stop() {
  if (!live) return;
  const { media, context, socket } = live;
  live = null;
  media.getTracks().forEach((track) => track.stop());
  context.close();
  if (socket.readyState === WebSocket.OPEN) socket.send("end");
  else socket.close();
  find("talk").textContent = "Talk live";
  find("talk").setAttribute("aria-pressed", "false");
}

document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
find("file").addEventListener("change", ({ target }) => target.files[0] && recognise(target.files[0], target.files[0].name));
find("file").addEventListener("click", ({ target }) => { target.value = ""; }); // the same file again is a change
find("model").addEventListener("change", () => last && !live && recognise(last.sound, last.name));
find("talk").addEventListener("click", talk);
for (const button of document.querySelectorAll("[data-sample]"))
  button.addEventListener("click", async () => {
    find("file").value = "";
    recognise(await (await fetch(`page/samples/${button.dataset.sample}`)).blob(), `${button.textContent} (synthetic)`);
  });
new ResizeObserver(() => shown && draw()).observe(document.querySelector("main"));
models().catch((error) => fail(error.message));
