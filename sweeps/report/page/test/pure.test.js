// What the page computes, apart from any figure.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readAddress, readRanges, writeAddress, writeRanges } from "../src/address.js";
import { toCsv } from "../src/csv.js";
import { isLogarithmic, makeDimensions } from "../src/dimensions.js";
import { band, replicateGroups } from "../src/groups.js";
import { surface } from "../src/pairs.js";
import { filtered, inRanges, parseFilter } from "../src/selection.js";
import {
  bestSoFar,
  bootstrapInterval,
  bounds,
  deviation,
  mean,
  quantile,
  withoutOutliers,
} from "../src/statistics.js";
import { short, shorten, shortLabels } from "../src/text.js";

const trial = (name, status, settings, best) => ({
  name,
  status,
  settings,
  best,
  sweep: "s",
  completed: status === "finished",
});

test("the address keeps what differs from the first view, and gives it back", () => {
  const defaults = { filter: "", tag: "loss", keep: "" };
  const state = { filter: "rate=(0.1|0.2),", tag: "loss", keep: "a1,b2" };
  const text = writeAddress(state, defaults);
  assert.ok(!text.includes("tag"));
  assert.deepEqual(readAddress(`#${text}`, defaults), state);
  assert.deepEqual(readAddress("#nothing=of&these", defaults), defaults);
});

test("ranges go through the address", () => {
  const ranges = new Map([
    ["model.cell", [-0.4, 1.4]],
    ["rate", [1e-5, 0.25]],
  ]);
  assert.deepEqual(readRanges(writeRanges(ranges)), ranges);
  assert.equal(readRanges("").size, 0);
  assert.equal(readRanges("rate~a~b|~1~2").size, 0);
});

test("the filter is a regular expression, found anywhere, case ignored", () => {
  const trials = [trial("kind=A,id=1", "finished"), trial("kind=b,id=2", "failed")];
  const names = (state) => filtered(trials, state)?.map((one) => one.name);
  assert.deepEqual(names({ filter: "KIND=a", hide: "" }), ["kind=A,id=1"]);
  assert.deepEqual(names({ filter: "", hide: "failed" }), ["kind=A,id=1"]);
  assert.equal(filtered(trials, { filter: "(", hide: "" }), null);
  assert.equal(parseFilter("*"), null);
});

test("a trial without a value lies in no range", () => {
  const at = (key, one) => one[key] ?? null;
  const trials = [{ rate: 1 }, { rate: 3 }, {}];
  assert.deepEqual(inRanges(trials, "rate~2~4", at), [{ rate: 3 }]);
  assert.equal(inRanges(trials, "", at), trials);
});

test("mean, deviation and quantiles", () => {
  assert.equal(mean([1, 2, 6]), 3);
  assert.ok(Math.abs(deviation([1, 2, 6]) - Math.sqrt(7)) < 1e-12);
  assert.equal(deviation([1]), null);
  assert.equal(quantile([0, 10], 0.25), 2.5);
  assert.deepEqual(bounds([3, NaN, -1, Infinity]), [-1, 3]);
  assert.equal(bounds([NaN]), null);
});

test("a bootstrap interval holds the mean, is the same each time, and narrows with more values", () => {
  const few = bootstrapInterval([1, 2, 3]);
  assert.deepEqual(few, bootstrapInterval([1, 2, 3]));
  assert.ok(few[0] >= 1 && few[0] < 2 && few[1] > 2 && few[1] <= 3);
  const many = bootstrapInterval(Array.from({ length: 60 }, (_, at) => 1 + (at % 3)));
  assert.ok(many[1] - many[0] < 0.5 * (few[1] - few[0]));
  // By the normal approximation it is 2 * 1.96 * sd / sqrt(n).
  const expected = (2 * 1.96 * Math.sqrt(2 / 3)) / Math.sqrt(60);
  assert.ok(Math.abs(many[1] - many[0] - expected) < 0.15 * expected);
  assert.equal(bootstrapInterval([1, 2]), null);
});

test("outliers are cut at the bad end alone, and only where they take most of the figure", () => {
  const values = [...Array.from({ length: 40 }, (_, at) => 1 + at / 40), 1000];
  const low = withoutOutliers(values, "min");
  assert.ok(low.cut && low.range[0] === 1 && low.range[1] < 3);
  const high = withoutOutliers(
    values.map((value) => -value),
    "max",
  );
  assert.ok(high.cut && high.range[1] === -1 && high.range[0] > -3);
  assert.ok(!withoutOutliers(values, "max").cut);
  assert.deepEqual(withoutOutliers([1, 2, 3, 4], "min"), { range: [1, 4], cut: false });
  assert.deepEqual(withoutOutliers([], "min"), { range: null, cut: false });
});

test("best so far", () => {
  assert.deepEqual(bestSoFar([null, 3, 5, 2, null], "min"), [null, 3, 3, 2, 2]);
  assert.deepEqual(bestSoFar([3, 5, 2], "max"), [3, 5, 5]);
});

test("numbers and names are shortened, names in their middle", () => {
  assert.equal(short(0.1234567), "0.123457");
  assert.equal(short(null), "");
  assert.equal(short(123456789012), "1.23457e+11");
  const long = `start_${"x".repeat(90)}_end`;
  assert.equal(shorten(long).length, 24);
  assert.ok(shorten(long).startsWith("start_") && shorten(long).endsWith("_end"));
  assert.equal(shorten("short"), "short");
});

test("an axis is logarithmic where that spreads the values", () => {
  assert.ok(isLogarithmic([0.001, 0.01, 0.1, 1]));
  assert.ok(!isLogarithmic([1, 2, 3]));
  assert.ok(!isLogarithmic([0, 1, 1000]));
  assert.ok(!isLogarithmic([1, 50, 51, 52, 100]));
  assert.ok(!isLogarithmic([]));
});

test("options with few values are listed, a random search's are numbers, and what is missing has no place", () => {
  const labels = Array.from({ length: 20 }, (_, at) => String(0.001 * 1.5 ** at));
  const trials = labels.map((label, at) =>
    trial(`t${at}`, at ? "finished" : "failed", [label, at % 2 ? "a" : ""], at ? at : null),
  );
  const axes = [
    { key: "rate", name: "rate", labels, numeric: true },
    { key: "kind", name: "kind", labels: ["a"], numeric: false },
  ];
  const found = makeDimensions({
    trials,
    axes,
    differing: [0, 1],
    statuses: ["finished", "failed"],
    metric: "loss",
  });
  assert.deepEqual(
    found.map((one) => one.key),
    ["rate", "kind", "status", "metric"],
  );
  const [rate, kind, status, metric] = found;
  assert.ok(!rate.listed && rate.log && rate.placeOf(trials[2]) === Number(labels[2]));
  assert.deepEqual(kind.labels, ["a", "(none)"]);
  assert.deepEqual([kind.placeOf(trials[0]), kind.placeOf(trials[1])], [1, 0]);
  assert.equal(status.placeOf(trials[0]), 1);
  assert.equal(metric.placeOf(trials[0]), null);
});

test("replicates are grouped and ranked: complete groups first, then by the mean", () => {
  const trials = [
    trial("1", "finished", ["a", "0"], 1),
    trial("2", "diverged", ["a", "1"], 0.1),
    trial("3", "finished", ["b", "0"], 5),
    trial("4", "finished", ["b", "1"], 7),
    trial("5", "finished", ["c", "0"], 2),
    trial("6", "finished", ["c", "1"], 4),
  ];
  const ranked = (mode) =>
    replicateGroups(trials, { differing: [0, 1], replicate: 1, mode }).map(
      (one) => one.settings[0],
    );
  assert.deepEqual(ranked("min"), ["c", "b", "a"]);
  assert.deepEqual(ranked("max"), ["b", "c", "a"]);
});

test("a band is over the steps that all replicates reported", () => {
  const found = band([
    { x: [1, 2, 3], y: [1, 2, null] },
    { x: [1, 2, 3], y: [3, 6, 1] },
  ]);
  assert.deepEqual(found, [
    { x: 1, mean: 2, low: 1, high: 3 },
    { x: 2, mean: 4, low: 2, high: 6 },
  ]);
});

test("CSV quotes what needs it", () => {
  assert.equal(
    toCsv(
      ["run", "loss"],
      [
        ["a,b", 1],
        ['say "x"', null],
      ],
    ),
    'run,loss\r\n"a,b",1\r\n"say ""x""",\r\n',
  );
});

test("labels lose what they have in common before what differs", () => {
  const labels = ["a", "b"].map(
    (letter) => `a_long_path/of_texts/part_${letter}_train.txt-01234567`,
  );
  const found = [...shortLabels(labels, 14).values()];
  assert.ok(
    found.every((text) => text.length <= 14 && /part_[ab]/.test(text)),
    found.join(),
  );
  assert.deepEqual([...shortLabels(["x", "y"], 14).values()], ["x", "y"]);
  const alone = shortLabels(["z".repeat(30)], 10);
  assert.equal([...alone.values()][0].length, 10);
  // One is the beginning of the other.
  const nested = shortLabels(["k".repeat(40), "k".repeat(41)], 12);
  assert.equal(new Set(nested.values()).size, 2);
});

test("a surface says nothing far from all trials, nor beside another name", () => {
  const spots = [
    { u: 0.25, v: 0.25, value: 1 },
    { u: 0.3, v: 0.75, value: 5 },
  ];
  const at = (values, u, v) => values[Math.floor(v * 20) * 20 + Math.floor(u * 20)];
  const smooth = surface(spots, 20, 0.2);
  assert.ok(at(smooth, 0.25, 0.5) > 1.5 && at(smooth, 0.25, 0.5) < 4.5);
  assert.ok(Number.isNaN(at(smooth, 0.99, 0.01)));
  const named = surface(spots, 20, 0.2, 1, 2);
  assert.equal(at(named, 0.25, 0.45), 1);
  assert.equal(at(named, 0.25, 0.55), 5);
});
