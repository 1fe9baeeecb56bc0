// What there is to say of a batch and of what is pointed at, in words.

import { reach } from "./flow.js";
import { batches, count, number, percent, plural, quoted } from "./words.js";

/** {text, strong} pieces: a sentence or two on one recorded batch of a trial. */
export function batchFacts({ scene, step, place, of, newest, beyond }) {
  const { sums, labels, item, T } = scene;
  const { top } = sums;
  const right = labels.correct[item].filter(Boolean).length;
  const losses = labels.losses[item].filter(Number.isFinite);
  const mean = losses.reduce((sum, one) => sum + one, 0) / losses.length;
  const cost = losses.length ? `, ${number(mean)} nats a step. ` : ". ";
  const from = top.t === top.j ? "its own loss" : `the loss ${plural(top.t - top.j, "step")} later`;
  const { items } = scene.record;
  const sequence = items > 1 ? `, sequence ${item + 1} of ${items}` : "";
  const which = newest ? "newest" : `number ${count(place + 1)}`;
  const pieces = [
    { text: `Update ${count(step)}`, strong: true },
    { text: `, ${which} of ${batches(of)}${sequence}: ` },
    { text: `${right} of ${T} right`, strong: true },
    { text: cost },
  ];
  if (!sums.finite)
    return [...pieces, { text: "Some of its gradients are no finite numbers.", bad: true }];
  if (!top.value) return [...pieces, { text: "No gradient comes this way." }];
  pieces.push(
    { text: "Most gradient, " },
    { text: number(top.value), strong: true },
    { text: `, arrives at step ${top.j + 1} from ${from} (${verdict(scene, top.t)}). ` },
  );
  if (beyond > 0) {
    const share = percent(beyond);
    pieces.push({
      text: `${share} of the gradient lies beyond the ${scene.K} steps recorded.`,
      bad: true,
    });
  }
  return pieces;
}

/** `step 9 (“i” to come, “ ” predicted)`, or `(“i”, predicted)`. */
export function stepName(scene, t) {
  return `step ${t + 1} (${verdict(scene, t)})`;
}

function verdict({ labels, item }, t) {
  const [target, predicted] = [labels.targets[item][t], labels.predictions[item][t]];
  return labels.correct[item][t]
    ? `${quoted(target)}, rightly predicted`
    : `${quoted(target)} to come, ${quoted(predicted)} predicted`;
}

/** The horizon of the loss at step t. */
export function horizonFacts(scene, t) {
  const { steps, peak, open } = reach(scene.grid, t);
  const loss = scene.labels.losses[scene.item][t];
  const cost = Number.isFinite(loss) ? `, ${number(loss)} nats` : "";
  const start = `The loss at ${stepName(scene, t)}${cost}`;
  if (!(peak > 0)) return `${start}: no gradient.`;
  const end = Math.min(t + 1, scene.K);
  const edge =
    end === scene.K && scene.K < scene.T ? "as far as was recorded" : "to the first step";
  const reached = open
    ? `reaches ${edge}, ${plural(end, "step")}, above 10% of its peak`
    : `falls below 10% of its peak ${plural(steps, "step")} back`;
  return `${start}: ${reached}; peak ${number(peak)}.`;
}

/** What arrives at step j, from the loss at step t. */
export function pointedFacts(scene, { j, t, unit }) {
  const { sums, grid, labels, item } = scene;
  if (j === null || j === undefined) return "";
  const read = quoted(labels.inputs[item][j]);
  if (unit !== null && unit !== undefined && scene.units?.[unit]) {
    const one = scene.units[unit];
    return `Unit ${one.unit} at step ${j + 1}, reading ${read}: ${number(one.arriving[j])}; ${percent(one.share)} of the sum over all units.`;
  }
  const whole = sums.arriving[j];
  const start = `Step ${j + 1}, reading ${read}, gets ${number(whole)} in all`;
  if (t === null || t === undefined || t < j || t - j >= scene.K) return `${start}.`;
  const value = grid.at(t, t - j);
  const where = t === j ? "its own loss" : `the loss ${plural(t - j, "step")} later`;
  return `${start}, ${percent(value / whole || 0)} of it (${number(value)}) from ${where}.`;
}
