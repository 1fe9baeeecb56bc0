import assert from "node:assert/strict";
import { test } from "node:test";
import { busiest, Grid, groups, reach, stack, summarise } from "../src/flow.js";
import { offset } from "../src/record.js";

/** Contributions by a rule (t, k) -> value. */
function grid(T, K, rule) {
  const values = new Float32Array(offset(T, K));
  for (let t = 0, at = 0; t < T; t++) {
    for (let k = 0; k < Math.min(t + 1, K); k++) values[at++] = rule(t, k);
  }
  return new Grid(T, K, values);
}

const near = (found, expected) =>
  assert.ok(Math.abs(found - expected) < 1e-6 * (1 + expected), `${found} is not ${expected}`);

test("each contribution is found where it was put, and nothing outside", () => {
  for (const K of [1, 3, 7]) {
    const made = grid(7, K, (t, k) => 100 * t + k + 1);
    for (let t = 0; t < 7; t++) {
      for (let k = -1; k < 9; k++) {
        assert.equal(made.at(t, k), k >= 0 && k <= t && k < K ? 100 * t + k + 1 : 0);
      }
    }
  }
});

test("what arrives and what leaves add up to the same", () => {
  const made = grid(6, 4, (t, k) => (t + 1) / (k + 1));
  const { arriving, leaving, total, top } = summarise(made);
  near(
    arriving.reduce((sum, one) => sum + one),
    total,
  );
  near(
    leaving.reduce((sum, one) => sum + one),
    total,
  );
  near(arriving[5], 6); // from its own loss only
  assert.deepEqual(top, { value: 6, t: 5, j: 5 });
});

test("what is no number is told, and left out of sums", () => {
  const { finite, total } = summarise(grid(3, 3, (t, k) => (t === 1 && k === 1 ? NaN : 1)));
  assert.equal(finite, false);
  assert.equal(total, 5);
});

test("a horizon ends where a tenth of the peak is passed, beyond the peak", () => {
  const rises = [0.05, 1, 0.5, 0.2, 0.09, 0.5, 0.01];
  const made = grid(7, 7, (_, k) => rises[k]);
  const { steps, open, peak } = reach(made, 6);
  assert.deepEqual([steps, open], [4, false]);
  near(peak, 1);
  assert.deepEqual(reach(made, 3).open, true);
  assert.equal(reach(made, 3).steps, 4);
  assert.deepEqual(
    reach(
      grid(3, 3, () => 0),
      2,
    ).open,
    false,
  );
});

test("groups of distances cover each distance once, and a bar is the sum of its groups", () => {
  for (const K of [1, 25, 32, 33, 100, 400]) {
    const parts = groups(K);
    assert.deepEqual(
      parts.flatMap(([from, to]) => Array.from({ length: to - from }, (_, at) => from + at)),
      [...Array(K).keys()],
    );
    assert.ok(parts.length <= 40);
  }
  const made = grid(50, 40, (t, k) => (t + 1) * 0.9 ** k);
  const parts = groups(40, 10);
  const stacked = stack(made, parts);
  const { arriving } = summarise(made);
  for (let j = 0; j < 50; j++) {
    near(
      stacked.slice(j * parts.length, (j + 1) * parts.length).reduce((sum, one) => sum + one),
      arriving[j],
    );
  }
});

test("the units with most gradient come first, with their share", () => {
  const weights = [1, 5, 4];
  const values = new Float32Array(offset(4, 4) * 3).map((_, at) => weights[at % 3]);
  const found = busiest({ T: 4, K: 4, units: 3 }, values, 2);
  assert.deepEqual(
    found.map(({ unit }) => unit),
    [1, 2],
  );
  near(found[0].share, 0.5);
  near(found[0].arriving[0], 20);
});
