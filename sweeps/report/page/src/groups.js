// Trials that differ in the replicate axis alone, such as a seed.

import { mean } from "./statistics.js";

/**
 * Groups of equal settings but for the replicate axis, ranked as sweeps/analysis/replicates.py
 * ranks them: settings whose trials have all finished, then those with some, by the mean.
 */
export function replicateGroups(trials, { differing, replicate, mode }) {
  const groups = new Map();
  for (const trial of trials) {
    const rest = differing
      .filter((place) => place !== replicate)
      .map((place) => trial.settings[place]);
    const key = JSON.stringify([trial.sweep, ...rest]);
    if (!groups.has(key)) {
      groups.set(key, { sweep: trial.sweep, settings: rest, values: [], trials: [] });
    }
    const group = groups.get(key);
    group.trials.push(trial);
    if (trial.completed && trial.best !== null) group.values.push(trial.best);
  }
  const rank = ({ values, trials: all }) => {
    if (!values.length) return [1, 1, 0];
    return [0, values.length < all.length ? 1 : 0, mode === "min" ? mean(values) : -mean(values)];
  };
  return [...groups.values()]
    .map((group) => ({ group, at: rank(group) }))
    .sort(({ at: a }, { at: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
    .map(({ group }) => group);
}

/**
 * The mean curve of several, with the lowest and the highest, at the steps that all have
 * reported: [{x, mean, low, high}].
 */
export function band(curves) {
  const at = new Map();
  for (const { x, y } of curves) {
    x.forEach((step, place) => {
      if (y[place] === null) return;
      if (!at.has(step)) at.set(step, []);
      at.get(step).push(y[place]);
    });
  }
  return [...at]
    .filter(([, values]) => values.length === curves.length)
    .sort(([a], [b]) => a - b)
    .map(([x, values]) => ({
      x,
      mean: mean(values),
      low: Math.min(...values),
      high: Math.max(...values),
    }));
}
