// Thousands of recorded batches on a few hundred pixels.

/** Place of the step that is nearest to the wanted one, in ascending steps; -1 without any. */
export function nearest(steps, wanted) {
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - steps[low - 1] <= steps[low] - wanted ? low - 1 : high;
}

/**
 * What falls into each column of pixels: [{column, low, high, top, count}]. `top` is the place of
 * the highest value, and the only one of a column where `count` is 1. Values that are no numbers
 * are left out; columns without any too.
 */
export function columns(steps, values, [from, to], width) {
  const found = [];
  const scale = width / (to - from || 1);
  let last = null;
  for (let place = 0; place < steps.length; place++) {
    const value = values[place];
    if (steps[place] < from || steps[place] > to || !Number.isFinite(value)) continue;
    const column = Math.min(width - 1, Math.floor((steps[place] - from) * scale));
    if (!last || last.column !== column) {
      found.push((last = { column, low: value, high: value, top: place, count: 1 }));
      continue;
    }
    last.count++;
    last.low = Math.min(last.low, value);
    if (value > last.high) [last.high, last.top] = [value, place];
  }
  return found;
}

/** Pixels of a bar: most of the least distance between two neighbours in sight, within bounds. */
export function barWidth(series, [from, to], width, most = 16) {
  let least = Infinity;
  for (const steps of series) {
    for (let place = 1; place < steps.length; place++) {
      if (steps[place - 1] >= from && steps[place] <= to)
        least = Math.min(least, steps[place] - steps[place - 1]);
    }
  }
  const room = least === Infinity ? most : (0.8 * width * least) / (to - from || 1);
  return Math.max(1, Math.min(most, room));
}

/**
 * The step with the highest finite value, of equals the earliest; null without any. `range` limits
 * the steps, and `kept`, where it is given, names those that can be shown.
 */
export function highest({ steps, values }, range, kept) {
  const shown = kept && new Set(kept);
  let best = null;
  steps.forEach((step, place) => {
    const value = values[place];
    if (!Number.isFinite(value) || (shown && !shown.has(step))) return;
    if (range && (step < range[0] || step > range[1])) return;
    if (best === null || value > best.value) best = { step, value };
  });
  return best && best.step;
}

/** Lowest positive and highest finite value of several series; null without any. */
export function extent(series) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of series) {
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      if (value > 0) low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return high > 0 ? { low: Math.min(low, high), high } : null;
}
