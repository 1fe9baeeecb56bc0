// What the views say of one sequence: sums, horizons, groups of distances. t is the step of a loss,
// j the step that its gradient arrives at, k = t - j the distance back.

import { offset } from "./record.js";

/** Part of a loss's peak below which its contribution counts as vanished. */
export const SHARE = 0.1;
/** So many distances have a shade of their own; more are grouped. */
export const MOST_SHADES = 32;

export class Grid {
  constructor(T, K, values) {
    Object.assign(this, { T, K, values });
  }
  /** Contribution at step t - k from the loss at step t. */
  at(t, k) {
    return k < 0 || k > t || k >= this.K ? 0 : this.values[offset(t, this.K) + k];
  }
}

/** {arriving: by j, leaving: by t, total, top: {value, t, j}, finite}. */
export function summarise(grid) {
  const arriving = new Float64Array(grid.T);
  const leaving = new Float64Array(grid.T);
  const top = { value: 0, t: 0, j: 0 };
  let finite = true;
  let at = 0;
  for (let t = 0; t < grid.T; t++) {
    for (let k = 0; k < Math.min(t + 1, grid.K); k++) {
      const value = grid.values[at++];
      if (!Number.isFinite(value)) {
        finite = false;
        continue;
      }
      arriving[t - k] += value;
      leaving[t] += value;
      if (value > top.value) Object.assign(top, { value, t, j: t - k });
    }
  }
  return { arriving, leaving, top, finite, total: leaving.reduce((sum, one) => sum + one, 0) };
}

/**
 * How far the loss at step t reaches: {steps, peak, open}. `steps` is the distance at which its
 * contribution first is below a share of its peak, beyond that peak; where it never is, `steps` is
 * the number of distances there are, and `open` says so.
 */
export function reach(grid, t, share = SHARE) {
  const there = Math.min(t + 1, grid.K);
  let peak = 0;
  let from = 0;
  for (let k = 0; k < there; k++) {
    if (grid.at(t, k) > peak) [peak, from] = [grid.at(t, k), k];
  }
  for (let k = from; k < there; k++) {
    if (grid.at(t, k) < share * peak) return { steps: k, peak, open: false };
  }
  return { steps: there, peak, open: peak > 0 };
}

/** Groups of distances [from, to): one each, or growing with distance where there are many. */
export function groups(K, most = MOST_SHADES) {
  if (K <= most) return Array.from({ length: K }, (_, k) => [k, k + 1]);
  const found = [];
  const growth = 1.25;
  for (let from = 0; from < K;) {
    const to = Math.min(K, Math.max(from + 1, Math.floor(from * growth)));
    found.push([from, to]);
    from = to;
  }
  return found;
}

/** Sum over each group of what arrives at each step: T x groups, flat. */
export function stack(grid, parts) {
  const sums = new Float64Array(grid.T * parts.length);
  parts.forEach(([from, to], place) => {
    for (let k = from; k < to; k++) {
      for (let t = k; t < grid.T; t++) {
        const value = grid.at(t, k);
        if (Number.isFinite(value)) sums[(t - k) * parts.length + place] += value;
      }
    }
  });
  return sums;
}

/** The units with most gradient: [{unit, total, share, arriving: by j}], most first. */
export function busiest({ T, K, units }, values, most) {
  const totals = new Float64Array(units);
  const arriving = Array.from({ length: units }, () => new Float64Array(T));
  let at = 0;
  for (let t = 0; t < T; t++) {
    for (let k = 0; k < Math.min(t + 1, K); k++) {
      for (let unit = 0; unit < units; unit++) {
        const value = values[at++];
        if (!Number.isFinite(value)) continue;
        totals[unit] += value;
        arriving[unit][t - k] += value;
      }
    }
  }
  const all = totals.reduce((sum, one) => sum + one, 0) || 1;
  return Array.from(totals, (total, unit) => ({
    unit,
    total,
    share: total / all,
    arriving: arriving[unit],
  }))
    .sort((one, other) => other.total - one.total)
    .slice(0, most);
}
