// How answers are said and drawn: one rule for the headline, the list and the windows.

// Lightness L* rises from 24 to 88 in steps of 8, so that the colours differ in greyscale as well.
const COLOURS = {
  fear: "#472a6d", sadness: "#034d87", disgust: "#476722", anger: "#d53239", calm: "#009694",
  neutral: "#989ba0", boredom: "#d8a685", surprise: "#feb0d2", happiness: "#fedb4f",
};

// Map each label to its colour; labels of other models take the colours that are left, in order.
export function colours(labels) {
  const left = Object.keys(COLOURS).filter((name) => !labels.includes(name));
  const spare = left.length ? left : Object.keys(COLOURS);
  let taken = 0;
  return new Map(labels.map((label) => [label,
    Object.hasOwn(COLOURS, label) ? COLOURS[label] : COLOURS[spare[taken++ % spare.length]]]));
}

export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

export function words(answer) {
  if (answer.label === null) return "no speech";
  return `${answer.label} ${percent(answer.confidence)}${answer.confident ? "" : ", not sure"}`;
}

export function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${`${whole % 60}`.padStart(2, "0")}`;
}

// Make an element; text is never read as markup.
export function make(name, attributes = {}, ...content) {
  return filled(document.createElement(name), attributes, content);
}

// Make an element of an SVG picture.
export function draft(name, attributes = {}, ...content) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, content);
}

function filled(element, attributes, content) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}
