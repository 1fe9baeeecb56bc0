// What a trial can be placed by: the value of an option, its status, its best metric.

import { bounds } from "./statistics.js";
import { named, shortLabels } from "./text.js";

const MOST_LISTED = 12;
const TICK_LETTERS = 14;

/**
 * Whether numbers are drawn on a logarithmic scale: they span two decades, and that puts the
 * middle one nearer to the middle.
 */
export function isLogarithmic(values) {
  const finite = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return false;
  const [low, high] = [finite[0], finite.at(-1)];
  if (!(low > 0) || high / low < 100) return false;
  const middle = finite[Math.floor(finite.length / 2)];
  const off = (scale) => Math.abs((scale(middle) - scale(low)) / (scale(high) - scale(low)) - 0.5);
  return off(Math.log) < off(Number);
}

/**
 * A dimension for each option in which trials differ, for the status where there are several, and
 * for the best metric.
 *
 * `listed`: its places are those of `labels`, evenly spaced, `ticks` in short; otherwise they are
 * numbers.
 * `placeOf(trial)`: where a trial stands, null where it has no value.
 */
export function makeDimensions({ trials, axes, differing, statuses, metric }) {
  const made = differing.map((place) => ofOption(axes[place], place, trials));
  const there = statuses.filter((status) => trials.some((trial) => trial.status === status));
  if (there.length > 1) {
    made.push(listed("status", "status", there, (trial) => trial.status));
  }
  made.push(numbers("metric", `best ${metric}`, trials, (trial) => trial.best));
  return made;
}

function ofOption(axis, place, trials) {
  const labels = trials.map((trial) => trial.settings[place]);
  const whole = labels.every((label) => Number.isFinite(parseFloat(label)));
  if (axis.numeric && axis.labels.length > MOST_LISTED && whole) {
    return numbers(axis.key, axis.name, trials, (trial) => Number(trial.settings[place]));
  }
  const known = [...axis.labels, ""].filter((label) => labels.includes(label));
  return listed(axis.key, axis.name, known, (trial) => trial.settings[place]);
}

function listed(key, name, labels, labelOf) {
  const at = new Map(labels.map((label, place) => [label, place]));
  const texts = labels.map(named);
  const short = shortLabels(texts, TICK_LETTERS);
  return {
    key,
    name,
    listed: true,
    labels: texts,
    ticks: texts.map((text) => short.get(text)),
    placeOf: (trial) => at.get(labelOf(trial)) ?? null,
  };
}

function numbers(key, name, trials, valueOf) {
  const values = trials.map(valueOf);
  return {
    key,
    name,
    listed: false,
    log: isLogarithmic(values),
    range: bounds(values),
    placeOf: (trial) => {
      const value = valueOf(trial);
      return Number.isFinite(value) ? value : null;
    },
  };
}
