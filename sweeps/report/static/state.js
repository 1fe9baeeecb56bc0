// What the page shows, and what of it the address keeps after `#`, so that a view can be linked.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const AXES = DATA.axes;
DATA.trials.forEach((trial, place) => {
  trial.place = place;
  trial.counted = DATA.counted.includes(trial.status) && trial.best !== null;
});

const state = {
  filter: "", tag: DATA.tags.includes(DATA.metric) ? DATA.metric : DATA.tags[0] || "", x: "step",
  colour: "best", log: "", across: "", down: "", sort: "", order: "",
};
const DEFAULTS = { ...state };

function readAddress() {
  let given;
  try { given = new URLSearchParams(location.hash.slice(1)); } catch { return; }
  for (const key of Object.keys(state)) state[key] = given.get(key) ?? DEFAULTS[key];
}

function writeAddress() {
  const kept = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  const text = new URLSearchParams(kept).toString();
  try { history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]); } catch { /* a sandbox */ }
}

// As TensorBoard's run box: found anywhere in the name, case ignored. Null where it cannot be read.
function matching(expression) {
  let pattern;
  try { pattern = new RegExp(expression, "i"); } catch { return null; }
  return DATA.trials.filter(trial => pattern.test(trial.name));
}

function mean(values) { return values.reduce((sum, value) => sum + value, 0) / values.length; }

// Sample standard deviation; null below two values.
function deviation(values) {
  if (values.length < 2) return null;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

// Better values are smaller losses.
function loss(value) { return DATA.mode === "min" ? value : -value; }

function count(number, noun) { return `${number} ${noun}${number === 1 ? "" : "s"}`; }

function short(value, digits = 6) {
  if (value === null || value === undefined) return "";
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) < 1e9 ? String(rounded) : rounded.toExponential();
}

// Places of the axes in which the trials differ; the others are said once, at the top.
const DIFFERING = AXES.map((_, place) => place).filter(place => new Set(DATA.trials.map(trial => trial.settings[place])).size > 1);

// Name of the range that each label of an axis is in.
const RANGE_OF = AXES.map(axis => new Map(axis.ranges.flatMap(([name, labels]) => labels.map(label => [label, name]))));
