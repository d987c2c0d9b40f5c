// The timeline: for each lane (a recording, or a speaker of it) its waveform and a row per emotion.
// It is a slider: pointer and arrow keys choose the moment that is played.
import { clock, colours, draft, words } from "./emotions.js";

const PEAKS_PER_S = 20, LABELS = 92, ROW = 26, WAVE = 48, HEAD = 22, GAP = 8, AXIS = 24;
const END_S = 0.05; // the end of a recording belongs to the window before it
const STEPS = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

// Overlapping windows are drawn around their middles, up to half way to their neighbours; spans that
// do not overlap, such as the turns of a call, from start to end.
export function cells(spans) {
  const middle = (span) => (span.start + span.end) / 2;
  const between = (one, other) => (middle(one) + middle(other)) / 2;
  return spans.map((span, i) => {
    const before = spans[i - 1], after = spans[i + 1];
    return {
      span,
      left: before && before.end > span.start ? between(before, span) : span.start,
      right: after && span.end > after.start ? between(span, after) : span.end,
    };
  });
}

// One lane for each speaker of a call, with the waveform of its channel, or one for all.
export function lanesOf(segments, peaks, speakers = [{ channel: 1 }]) {
  return speakers.map(({ speaker, channel }) => ({
    name: speaker ?? "", spans: segments.filter((one) => one.speaker === speaker), peaks: peaks[channel - 1] ?? [],
  }));
}

// Decode a recording to its peaks, or those of each channel; none if this browser cannot decode it.
export async function outline(sound, isCall) {
  const context = new OfflineAudioContext(1, 1, 16000);
  try {
    const decoded = await context.decodeAudioData(await sound.arrayBuffer());
    const channels = Array.from({ length: decoded.numberOfChannels }, (_, i) => peaksOf(decoded.getChannelData(i)));
    return isCall ? channels : [loudest(channels)];
  } catch { // the server decodes formats that this browser does not; then no waveform is drawn
    return [];
  }
}

const loudest = (channels) => channels[0].map((_, i) => Math.max(...channels.map((channel) => channel[i])));

function peaksOf(samples) {
  const peaks = [], size = 16000 / PEAKS_PER_S;
  for (let start = 0; start < samples.length; start += size) peaks.push(peakOf(samples.subarray(start, start + size)));
  return peaks;
}

export function peakOf(samples) {
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}

export class Timeline {
  // `seek` is called with the time that the user chooses, in seconds.
  constructor(box, seek) {
    this.box = box;
    this.svg = box.querySelector("svg");
    this.shown = null;
    const point = (event) => this.shown?.slides && seek(this.timeAt(event.clientX));
    box.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      box.setPointerCapture(event.pointerId);
      point(event);
    });
    box.addEventListener("pointermove", (event) => box.hasPointerCapture(event.pointerId) && point(event));
    box.addEventListener("keydown", (event) => {
      const { from, to, slides } = this.shown ?? {};
      const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
      const time = { Home: from, End: to }[event.key] ?? this.time + moves[event.key];
      if (!slides || Number.isNaN(time)) return;
      event.preventDefault();
      seek(Math.min(Math.max(time, from), to));
    });
    new ResizeObserver(() => this.shown && this.draw()).observe(box);
  }

  // Show lanes of `{name, spans, peaks}` from one time to another; `slides` if it can be played.
  show({ lanes, labels, from, to, slides }) {
    this.shown = { lanes: lanes.map((lane) => ({ ...lane, cells: cells(lane.spans) })), labels, from, to, slides };
    const slider = { role: "slider", tabindex: 0, "aria-label": "Position in the recording", "aria-valuemin": from, "aria-valuemax": to };
    for (const [name, value] of Object.entries(slider))
      if (slides) this.box.setAttribute(name, value); else this.box.removeAttribute(name);
    this.draw();
    this.move(from);
  }

  // What is answered at a time, in each lane.
  said(time) {
    return this.shown.lanes.flatMap(({ name, cells: all }) => {
      const at = Math.min(time, this.shown.to - END_S);
      const cell = all.find(({ left, right }) => left <= at && at < right);
      return cell ? [`${name && `${name}: `}${words(cell.span)}`] : [];
    }).join("; ") || "no turn";
  }

  move(time) {
    this.time = time;
    const { to, slides } = this.shown, at = `${this.x(time)}`;
    this.cursor.setAttribute("x1", at);
    this.cursor.setAttribute("x2", at);
    if (!slides) return;
    this.box.setAttribute("aria-valuenow", time.toFixed(1));
    this.box.setAttribute("aria-valuetext", `${clock(time)} of ${clock(to)}, ${this.said(time)}`);
  }

  x(time) {
    const { from, to } = this.shown, share = (time - from) / Math.max(to - from, 0.1);
    return LABELS + (this.width - LABELS) * Math.min(Math.max(share, 0), 1);
  }

  timeAt(clientX) {
    const { from, to } = this.shown, { left } = this.svg.getBoundingClientRect();
    const share = (clientX - left - LABELS) / (this.width - LABELS);
    return from + (to - from) * Math.min(Math.max(share, 0), 1);
  }

  draw() {
    const { lanes, slides } = this.shown;
    this.width = Math.max(this.box.clientWidth, 240);
    const parts = [];
    let y = 0;
    for (const lane of lanes) y = this.lane(lane, y, parts);
    parts.push(...this.axis(y));
    this.cursor = draft("line", { class: "cursor", y1: 0, y2: y, visibility: slides ? "visible" : "hidden" });
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${y + AXIS}`);
    this.svg.style.height = `${y + AXIS}px`;
    this.svg.replaceChildren(...parts, this.cursor);
    if (this.time !== undefined) this.move(this.time);
  }

  lane({ name, cells: all, peaks }, top, parts) {
    let y = top;
    if (name) parts.push(draft("text", { x: 0, y: y + 15, class: "lane" }, name));
    if (name) y += HEAD;
    if (peaks.length) parts.push(this.wave(peaks, y));
    if (peaks.length) y += WAVE + GAP;
    const { labels } = this.shown, colour = colours(labels);
    for (const label of labels) {
      parts.push(draft("text", { x: 0, y: y + 17 }, label.length > 13 ? `${label.slice(0, 12)}…` : label));
      parts.push(draft("rect", { x: LABELS, y, width: this.width - LABELS, height: ROW - 3, class: "row" }));
      for (const cell of all) if (cell.span.label !== null) parts.push(...this.bar(cell, label, colour.get(label), y));
      y += ROW;
    }
    parts.push(...this.silence(all, y - ROW * labels.length, ROW * labels.length));
    return y + GAP;
  }

  bar({ span, left, right }, label, fill, y) {
    const x = this.x(left), width = this.x(right) - x, share = span.probabilities[label], tall = (ROW - 3) * share;
    if (width <= 0) return [];
    const is = label === span.label;
    const parts = [draft("rect", { x: x.toFixed(1), y: (y + ROW - 3 - tall).toFixed(1), width: width.toFixed(1), height: tall.toFixed(1),
      fill, class: `${is ? "bar best" : "bar"}${width < 6 ? " thin" : ""}` })];
    if (is && width > 26)
      parts.push(draft("text", { x: (x + width / 2).toFixed(1), y: y + 16, class: "number" }, `${Math.round(100 * share)}${span.confident ? "" : "?"}`));
    return parts;
  }

  // Write "no speech" over neighbouring windows without any.
  silence(all, y, height) {
    const runs = [];
    all.forEach(({ span, left, right }, i) => {
      if (span.label !== null) return;
      if (i && all[i - 1].span.label === null) runs.at(-1).right = right;
      else runs.push({ left, right });
    });
    return runs.filter(({ left, right }) => this.x(right) - this.x(left) > 64).map(({ left, right }) =>
      draft("text", { x: (this.x(left) + this.x(right)) / 2, y: y + height / 2 + 3, class: "number" }, "no speech"));
  }

  wave(peaks, y) {
    const width = this.width - LABELS, columns = Math.max(Math.min(Math.floor(width / 2), peaks.length), 1);
    const largest = Math.max(1e-3, peaks.reduce((most, peak) => Math.max(most, peak), 0));
    let path = "";
    for (let i = 0; i < columns; i++) {
      const part = peaks.slice(Math.floor(i * peaks.length / columns), Math.floor((i + 1) * peaks.length / columns));
      const tall = Math.max(WAVE * part.reduce((most, peak) => Math.max(most, peak), 0) / largest, 1);
      const x = LABELS + (i + 0.5) * width / columns;
      path += `M${x.toFixed(1)} ${(y + (WAVE - tall) / 2).toFixed(1)}v${tall.toFixed(1)}`;
    }
    return draft("path", { d: path, class: "wave", "stroke-width": Math.max(width / columns - 1, 1).toFixed(1) });
  }

  axis(y) {
    const { from, to } = this.shown, most = Math.max((this.width - LABELS) / 64, 1);
    const step = STEPS.find((one) => (to - from) / one <= most) ?? 1200;
    const parts = [];
    for (let time = Math.ceil(from / step) * step; time <= to; time += step)
      if (step >= 1) parts.push(draft("text", { x: this.x(time).toFixed(1), y: y + 14, class: this.x(time) > this.width - 16 ? "tick last" : "tick" }, clock(time)));
      else parts.push(draft("text", { x: this.x(time).toFixed(1), y: y + 14, class: this.x(time) > this.width - 16 ? "tick last" : "tick" }, `${time.toFixed(1)} s`));
    return parts;
  }
}
