// What the page says about a recording: headline, bars, table, downloads.
import { colours, make, percent, words } from "./emotions.js";

const find = (name) => document.querySelector(`#emotone-${name}`);

// Show what is known of an item: its answer as a whole, or the last window of live audio.
export function show(item) {
  const { whole, labels, threshold } = item;
  const colour = colours(labels);
  find("about").textContent = item.live ? [`Live, the last ${Math.round(whole.end - whole.start)} s`, ...of(item.relativeTo)].join(" · ") : about(item);
  find("label").textContent = words(whole);
  find("label").classList.toggle("none", whole.label === null);
  find("label").style.borderColor = colour.get(whole.label);
  find("bars").replaceChildren(...(whole.label === null ? [] : labels.map((label) => bar(label, whole, colour.get(label), threshold))));
  const windows = find("table") ? ": the headline, and each window by itself" : ""; // the exported page has none
  find("threshold").textContent = whole.label === null ? "There is nothing in it that the model hears as speech."
    : `Below ${percent(threshold)} (the line), an answer is “not sure”${windows}.`;
}

export const about = ({ name, whole, model, relativeTo }) =>
  [name, `${whole.seconds.toFixed(1)} s`, model.split("/").pop(), ...of(relativeTo)].join(" · ");

const of = (name) => name ? [`relative to ${name}`] : [];

function bar(label, { label: best, probabilities }, colour, threshold) {
  const share = probabilities[label];
  const fill = make("div", { class: "share" }), mark = make("div", { class: "mark" });
  fill.style.width = `${100 * share}%`;
  fill.style.background = colour;
  mark.style.left = `${100 * threshold}%`;
  return make("li", label === best ? { class: "best" } : {}, make("span", {}, label),
    make("div", { class: "track", "aria-hidden": "true" }, fill, mark), make("span", {}, percent(share)));
}

// List the windows of a recording, or the turns of a call.
export function tabulate(segments) {
  const several = hasSpeakers(segments);
  const head = [...(several ? ["speaker"] : []), "from", "to", "emotion", "probability", ""];
  const row = (one) => [...(several ? [`${one.speaker}`] : []), `${one.start.toFixed(1)} s`, `${one.end.toFixed(1)} s`,
    one.label ?? "no speech", one.label === null ? "" : percent(one.confidence), one.confident === false ? "not sure" : ""];
  const line = (kind, texts) => make("tr", {}, ...texts.map((text) => make(kind, kind === "th" ? { scope: "col" } : {}, text)));
  find("table").replaceChildren(make("thead", {}, line("th", head)), make("tbody", {}, ...segments.map((one) => line("td", row(one)))));
}

// Offer the windows, or turns, of an item as JSON and CSV.
export function offer({ name, model, whole, segments, labels, relativeTo: relative_to }) {
  link("json", json({ file: name, relative_to, ...whole, model, ...(whole.turns ? {} : { segments }) }));
  link("csv", csv(["start", "end", ...(hasSpeakers(segments) ? ["speaker"] : [])], segments, labels));
}

// Offer the answers of all items as JSON and CSV, to each turn of those that are calls.
export function offerAll(items) {
  const done = items.filter((item) => item.whole);
  link("all-json", json(items.map(({ name, model, whole, error, relativeTo: relative_to }) => whole ? { file: name, relative_to, ...whole, model } : { file: name, error })));
  const labels = [...new Set(done.flatMap((item) => item.labels))];
  const answers = done.flatMap(({ name, whole }) => (whole.turns ?? [whole]).map((one) => ({ file: name, ...one })));
  link("all-csv", csv(["file", ...(hasSpeakers(answers) ? ["start", "end", "speaker"] : [])], answers, labels));
}

const hasSpeakers = (answers) => answers.some((one) => one.speaker !== undefined);

const json = (content) => new Blob([JSON.stringify(content, null, 1)], { type: "application/json" });

// Write answers as CSV: of each some of its values, and then its emotions.
function csv(keys, answers, labels) {
  const names = [...keys, "label", "confidence", "confident"];
  const header = [...names, ...labels.map((label) => `p_${label}`)];
  const rows = answers.map((one) => [...names.map((key) => one[key]), ...labels.map((label) => one.probabilities?.[label])]);
  const quoted = (cell) => /[",\r\n]/.test(cell) ? `"${`${cell}`.replaceAll('"', '""')}"` : cell ?? "";
  return new Blob([[header, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n"], { type: "text/csv" });
}

function link(name, content) {
  const made = find(name);
  if (made.href.startsWith("blob:")) URL.revokeObjectURL(made.href);
  made.href = URL.createObjectURL(content);
}
