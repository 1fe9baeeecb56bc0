import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, formatState, matcher, parseRange, parseState } from "../src/state.js";
import { numberedEvery } from "../src/layout.js";
import { activeSide, chosen, kept, selectedStep } from "../src/loading.js";
import { shortNames } from "../src/names.js";
import { closest, layersOf } from "../src/parts.js";
import { number, percent, plural, shown } from "../src/words.js";

test("an address gives back the view that it was made of", () => {
  const state = { ...DEFAULTS, run: "a/lr=0.1,id=ab&c=%", with: "b", step: "1200", scale: "log" };
  const text = formatState(state, "p.lm-gradient-flow.");
  assert.deepEqual(parseState(`other=1&${text}`, "p.lm-gradient-flow."), state);
  assert.equal(formatState(DEFAULTS), "");
});

test("an address that nobody made is read as far as it goes", () => {
  assert.deepEqual(parseState("run=%&constructor=1&zoom&=&&"), { ...DEFAULTS, run: "%" });
  assert.equal(parseRange("5-3"), null);
  assert.deepEqual(parseRange("3-5"), [3, 5]);
});

test("a filter finds what TensorBoard's finds", () => {
  assert.equal(matcher("LR=0\\.1,")("x/lr=0.1,id=a"), true);
  assert.equal(matcher("")("anything"), true);
  assert.equal(matcher("("), null);
});

test("another trial's component is the nearest to the one that is looked at", () => {
  const components = ["layer_1/h", "layer_2/h", "layer_2/down"];
  assert.equal(closest(components, "layer_2/down"), "layer_2/down");
  assert.equal(closest(components, "layer_2/c"), "layer_2/h");
  assert.equal(closest(components, "layer_3/h"), "layer_1/h");
  assert.equal(closest(components, ""), "layer_1/h");
  assert.deepEqual(layersOf(components)[1], { layer: "layer_2", parts: ["h", "down"] });
});

test("names are told apart by what not all have", () => {
  const names = ["grid/cell=lstm,lr=0.1,id=ab", "grid/cell=rnn,lr=0.1,id=cd"];
  assert.deepEqual([...shortNames(names).values()], ["cell=lstm,id=ab", "cell=rnn,id=cd"]);
  assert.equal(shortNames(["a/b"]).get("a/b"), "a/b");
  assert.deepEqual([...shortNames(["a", "a/b"]).values()], ["a", "a/b"]);
});

test("numbers and symbols are as people read them", () => {
  assert.equal(number(0.012345), "0.0123");
  assert.equal(number(12345), "12,300");
  assert.equal(number(4.567e-7), "4.57×10⁻⁷");
  assert.equal(number(NaN), "not finite");
  assert.equal(percent(0.0004), "under 0.1%");
  assert.equal(plural(1, "step"), "1 step");
  assert.equal(shown("a b"), "a␣b");
  assert.equal(shown("\n"), "⏎");
});

const runs = { a: {}, b: {} };

test("a trial beside itself is two of its batches, each selected by itself", () => {
  const app = { runs, active: "b", state: { ...DEFAULTS, run: "a", with: "a", step: "30" } };
  app.chosen = chosen(app);
  assert.equal(app.chosen.same, true);
  assert.equal(activeSide(app), "b");
  const side = { course: { steps: [5, 10, 20, 30], kept: null } };
  const shown = () => ["a", "b"].map((name) => kept(side, selectedStep(app, name)));
  assert.deepEqual(shown(), [30, 5]);
  app.state.other = "20";
  assert.deepEqual(shown(), [30, 20]);
  app.state = { ...app.state, with: "b" };
  app.chosen = chosen(app);
  assert.equal(app.chosen.same, false);
  assert.equal(activeSide(app), "a"); // the batch beside it follows
  assert.deepEqual(shown(), [30, 30]);
});

test("numbers of steps have room, and count in round steps", () => {
  assert.equal(numberedEvery(40, 25), 1);
  assert.equal(numberedEvery(13, 25), 2);
  assert.equal(numberedEvery(9, 25), 5);
  for (const T of [5, 25, 99, 400, 5000]) {
    for (const step of [0.1, 0.7, 3, 8, 21, 100]) {
      const every = numberedEvery(step, T);
      assert.ok(every * step >= String(T).length * 6.6);
      assert.match(String(every), /^[125]0*$/);
    }
  }
});
