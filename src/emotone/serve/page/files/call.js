// What the page says about a call: for each speaker the emotions of its confident turns, and notes.
import { about } from "./answer.js";
import { colours, make, percent } from "./emotions.js";

const find = (name) => document.querySelector(`#emotone-${name}`);
const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
const emotionsOf = ({ shares }) => Object.keys(shares).filter((label) => shares[label]).sort((a, b) => shares[b] - shares[a]);

export const wordsOfCall = ({ speakers, turns }) => `${count(speakers.length, "speaker")}, ${count(turns.length, "turn")}`;

export function showCall(item) {
  const { whole, labels, threshold } = item;
  find("about").textContent = about(item);
  find("label").textContent = wordsOfCall(whole);
  find("label").classList.add("none");
  find("bars").replaceChildren(...whole.speakers.map((one) => speaker(one, colours(labels))));
  find("threshold").replaceChildren(...whole.notes.map((note) => make("span", { class: "note" }, `${note}.`)),
    `Each bar is the time of a speaker’s confident turns, by emotion; in brackets, how many points more or less it is in the second half of the call. Below ${percent(threshold)}, a turn is “not sure”.`);
}

function speaker(one, colour) {
  const emotions = emotionsOf(one);
  const parts = emotions.map((label) => {
    const part = make("div", { class: "share" });
    part.style.width = `${100 * one.shares[label]}%`;
    part.style.background = colour.get(label);
    return part;
  });
  const change = (label) => Math.round(100 * one.trend[label]);
  const words = (label) => `${label} ${percent(one.shares[label])}${one.trend ? ` (${change(label) < 0 ? "−" : "+"}${Math.abs(change(label))})` : ""}`;
  const times = one.seconds ? `, confident for ${Math.round(one.confident_seconds)} of ${Math.round(one.seconds)}\u00a0s` : "";
  return make("li", { class: "speaker" },
    make("p", {}, make("strong", {}, one.speaker), `, ${count(one.turns, "turn")}${times}`),
    make("div", { class: "track", "aria-hidden": "true" }, ...parts),
    make("p", {}, emotions.map(words).join(", ") || "no confident turn"));
}
