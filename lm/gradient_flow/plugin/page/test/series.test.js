import assert from "node:assert/strict";
import { test } from "node:test";
import { barWidth, columns, extent, highest, nearest } from "../src/series.js";

test("ten thousand batches on a few pixels keep every column's extremes", () => {
  const steps = Array.from({ length: 10000 }, (_, at) => at * 100);
  const values = steps.map((step) => Math.abs(Math.sin(step * 1.7)) + (step === 432100 ? 9 : 0));
  const found = columns(steps, values, [0, 999900], 500);
  assert.equal(found.length, 500);
  assert.equal(
    found.reduce((sum, { count }) => sum + count, 0),
    10000,
  );
  const highest = found.reduce((best, one) => (one.high > best.high ? one : best));
  assert.equal(steps[highest.top], 432100);
  assert.equal(Math.min(...found.map(({ low }) => low)), Math.min(...values));
});

test("a range shows its own batches only, and what is no number is left out", () => {
  const found = columns([1, 2, 3, 4, 5], [1, NaN, 3, 4, 5], [2, 4], 10);
  assert.deepEqual(
    found.map(({ top }) => top),
    [2, 3],
  );
});

test("the nearest step is found, of equals the earlier", () => {
  const steps = [10, 20, 40];
  for (const [wanted, place] of [
    [-5, 0],
    [14, 0],
    [15, 0],
    [16, 1],
    [30, 1],
    [31, 2],
    [99, 2],
  ]) {
    assert.equal(nearest(steps, wanted), place, `${wanted}`);
  }
  assert.equal(nearest([], 1), -1);
});

test("a scale has room for every value that can be drawn", () => {
  assert.deepEqual(
    extent([
      [0, 2],
      [NaN, 0.5, Infinity],
    ]),
    { low: 0.5, high: 2 },
  );
  assert.equal(extent([[0, NaN], []]), null);
});

test("bars do not cover each other, and are wide enough to be hit where there is room", () => {
  const steps = [0, 100, 200, 300];
  assert.equal(barWidth([steps], [0, 300], 900), 16);
  assert.ok(Math.abs(barWidth([steps], [0, 300], 30) - 8) < 1e-9);
  assert.equal(barWidth([steps], [0, 300], 2), 1);
  assert.equal(barWidth([[5]], [5, 6], 900), 16);
  // Of what is enlarged, only the bars in sight count.
  const uneven = [0, 1, 1000, 2000];
  assert.equal(barWidth([uneven], [0, 2000], 800), 1);
  assert.equal(barWidth([uneven], [1000, 2000], 800), 16);
  for (const width of [10, 100, 1000]) {
    const bar = barWidth([steps, [50]], [0, 300], width);
    assert.ok(bar === 1 || bar <= (width * 100) / 300);
  }
});

test("the highest bar is found within what is in sight and can be shown", () => {
  const series = { steps: [1, 2, 3, 4, 5], values: [1, NaN, 9, 9, Infinity] };
  assert.equal(highest(series, null, null), 3);
  assert.equal(highest(series, [4, 5], null), 4);
  assert.equal(highest(series, [1, 2], null), 1);
  assert.equal(highest(series, null, [1, 4, 5]), 4);
  assert.equal(highest(series, [2, 2], null), null);
  assert.equal(highest({ steps: [], values: [] }, null, null), null);
});
