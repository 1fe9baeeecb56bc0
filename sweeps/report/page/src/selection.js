// Which trials match: the filter, the statuses that are shown, and the ranges of options.

import { readList, readRanges } from "./address.js";

/** As TensorBoard's run box: found anywhere in the name, case ignored. Null: cannot be read. */
export function parseFilter(text) {
  try {
    return new RegExp(text, "i");
  } catch {
    return null;
  }
}

/** The trials that match filter and statuses, or null where the filter cannot be read. */
export function filtered(trials, state) {
  const pattern = parseFilter(state.filter);
  if (pattern === null) return null;
  const hidden = new Set(readList(state.hide));
  return trials.filter((trial) => !hidden.has(trial.status) && pattern.test(trial.name));
}

/** Those of the trials that lie in all ranges; `positionOf(key, trial)` is null for no value. */
export function inRanges(trials, text, positionOf) {
  const ranges = readRanges(text);
  if (!ranges.size) return trials;
  return trials.filter((trial) =>
    [...ranges].every(([key, [low, high]]) => {
      const at = positionOf(key, trial);
      return at !== null && at >= low && at <= high;
    }),
  );
}
