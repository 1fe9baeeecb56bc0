// Means and what is known of them.

import { randomLcg } from "d3-random";

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; null below two values. */
export function deviation(values) {
  if (values.length < 2) return null;
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** The value below which a share of sorted values lies, between neighbours in proportion. */
export function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

export const LEAST_VALUES = 3;
const RESAMPLED = 2000;

/**
 * 95% interval of a mean by the percentile bootstrap (Efron, 1979): the values are drawn again,
 * with replacement, from a fixed seed. Null below three values, which say too little.
 */
export function bootstrapInterval(values) {
  if (values.length < LEAST_VALUES) return null;
  const random = randomLcg(0.5);
  const means = Array.from({ length: RESAMPLED }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < values.length; drawn += 1) {
      sum += values[Math.floor(random() * values.length)];
    }
    return sum / values.length;
  }).sort((a, b) => a - b);
  return [quantile(means, 0.025), quantile(means, 0.975)];
}

/** Smallest and largest of the finite values; null where there is none. */
export function bounds(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/**
 * The bounds without the worst twentieth, where that twentieth takes more than half of the range;
 * `cut` is whether it does. `mode` is "min" where low values are good.
 */
export function withoutOutliers(values, mode) {
  const whole = bounds(values);
  if (!whole || values.length < 4) return { range: whole, cut: false };
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  const [low, high] = whole;
  const [from, to] =
    mode === "min" ? [low, quantile(sorted, 0.95)] : [quantile(sorted, 0.05), high];
  if (to - from <= 0 || high - low <= 2 * (to - from)) return { range: whole, cut: false };
  const room = 0.08 * (to - from);
  return { range: mode === "min" ? [from, to + room] : [from - room, to], cut: true };
}

/** Best value so far at each place; nulls before the first. */
export function bestSoFar(values, mode) {
  let best = null;
  return values.map((value) => {
    if (value !== null && (best === null || (mode === "min" ? value < best : value > best))) {
      best = value;
    }
    return best;
  });
}
