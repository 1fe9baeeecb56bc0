// What is chosen, as text in the page's address: the same address shows the same view.

/** Name -> what it is where nothing is chosen. */
export const DEFAULTS = {
  run: "", // the trial; empty: the first
  with: "", // the one beside it; the same: another batch of it
  step: "", // update step of the selected batch; empty: the newest
  other: "", // of the batch beside it, where that is the same trial's; empty: the first
  item: "0", // which sequence of the batch
  part: "", // component, such as layer_1/h
  measure: "", // of the contributions
  view: "", // bars, heat or units; empty: what suits the length
  scale: "linear",
  scales: "shared", // or own: each trial's
  curve: "max", // of the overview: max, sum or horizon
  loss: "", // step whose horizon stays shown
  range: "", // of update steps in the overview, from-to
  zoom: "", // of the steps, as k_x_y
  filter: "", // expression for names of runs
};

/** Address after the "#" -> what is chosen; what is not known is left out. */
export function parseState(text, prefix = "") {
  const state = { ...DEFAULTS };
  for (const part of text.split("&")) {
    const [name, value = ""] = part.split("=");
    const key = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (Object.hasOwn(DEFAULTS, key)) state[key] = decoded(value);
  }
  return state;
}

function decoded(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // a lone % that somebody typed
  }
}

/** The reverse, without what is as it would be anyway. */
export function formatState(state, prefix = "") {
  return Object.keys(DEFAULTS)
    .filter((key) => String(state[key]) !== DEFAULTS[key])
    .map((key) => `${prefix}${key}=${encodeURIComponent(state[key])}`)
    .join("&");
}

/** Text of a pair of numbers "a-b" -> [a, b]; null where it is none. */
export function parseRange(text) {
  const found = /^(\d+)-(\d+)$/.exec(text);
  return found && Number(found[1]) < Number(found[2]) ? [Number(found[1]), Number(found[2])] : null;
}

/** Expression -> whether a name has it, case ignored as in TensorBoard; null where it is none. */
export function matcher(expression) {
  try {
    const pattern = new RegExp(expression, "i");
    return (name) => pattern.test(name);
  } catch {
    return null;
  }
}
