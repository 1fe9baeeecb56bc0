// What is loaded -> the page.

import { select } from "d3-selection";
import { coloursOf } from "./colours.js";
import { bounded, WHOLE } from "./layout.js";
import { activeSide, kept, selectedStep, SIDES } from "./loading.js";
import { cellName } from "./panel.js";
import { closest, split, spoken } from "./parts.js";
import { chosenView, contents, rangeOf, sceneOf } from "./scene.js";
import { parseRange } from "./state.js";

/** Name -> column of the overviews, what it is, and its unit. */
const CURVES = {
  max: { column: 0, what: "largest contribution of each recorded batch", unit: "" },
  sum: { column: 1, what: "sum of all contributions of each recorded batch", unit: "" },
  horizon: {
    column: 2,
    what: "steps back until a loss falls below 10% of its peak, on average",
    unit: " steps",
  },
};

export function draw(app) {
  if (!app.chosen) return;
  const { state, sides, chosen: picked } = app;
  const dark = app.host.dark();
  app.root.classList.toggle("dark", dark);
  app.controls.found({ ...picked, filter: state.filter });
  const told = app.empty({
    ...picked,
    filter: state.filter,
    error: app.error,
    live: app.source.live,
  });
  app.root.classList.toggle("nothing", told);
  const shown = SIDES.filter((side) => sides[side]);
  app.pair.classed("two", shown.length > 1);
  for (const side of SIDES) app.panels[side].node.hidden = !sides[side];
  if (told || !sides.a) return;
  app.colours = coloursOf(dark);
  drawOverview(app, shown);
  drawPanels(app, shown);
  drawControls(app);
  point(app, app.hover);
}

function drawOverview(app, shown) {
  const { state } = app;
  const curve = CURVES[state.curve] ?? CURVES.max;
  const drawn = app.chosen.same ? shown.slice(0, 1) : shown;
  const series = drawn.flatMap((side) => {
    const { course, about } = app.sides[side];
    if (!course) return [];
    const at =
      course.steps.length && about.components.indexOf(closest(about.components, state.part));
    const { column } = curve;
    const values = course.steps.map(
      (_, place) => course.values[(place * course.components + at) * 3 + column],
    );
    return [{ side, steps: course.steps, values }];
  });
  app.series = series;
  app.curve(state.curve);
  app.side(app.chosen.same, activeSide(app));
  select(app.root).select(".overview .of").text(curve.what);
  select(app.root).select(".overview").property("hidden", !series.length);
  if (!series.length) return;
  const range = parseRange(state.range);
  app.overview.show({
    series,
    kind: state.scale,
    range,
    colours: app.colours,
    unit: curve.unit,
  });
  markOverview(app);
}

export function markOverview(app) {
  const marks = SIDES.flatMap((side) => {
    const one = app.sides[side];
    if (!one?.course) return [];
    const selected = { side, step: kept(one, selectedStep(app, side)), kind: "chosen" };
    const hovered = { side, step: one.step, kind: "hovered" };
    return one.step === selected.step ? [selected] : [selected, hovered];
  });
  app.overview.mark(marks);
}

function drawPanels(app, shown) {
  const { state, colours, chosen: picked } = app;
  const held = new Map();
  for (const side of shown) {
    const one = app.sides[side];
    if (one.batch) held.set(side, contents(one.batch, one.about.components, state));
    else app.panels[side].message(one.error);
  }
  const view = chosenView(state.view, Math.max(...[...held.values()].map(({ grid }) => grid.T)));
  const ranges = new Map([...held].map(([side, of]) => [side, rangeOf(of, view)]));
  const all = [...ranges.values()];
  const shared = {
    low: Math.min(...all.map(({ low }) => low)),
    high: Math.max(...all.map(({ high }) => high)),
  };
  const zoom = parseZoom(state.zoom);
  const farthest = Math.max(...[...held.values()].map(({ grid }) => grid.K)) - 1;
  for (const [side, of] of held) {
    const one = app.sides[side];
    const scene = sceneOf(of, {
      view,
      kind: state.scale,
      range: state.scales === "own" ? ranges.get(side) : shared,
      width: app.panels[side].width(),
      farthest,
      zoom,
      colours,
    });
    const { step, place, course, about, run } = one;
    app.panels[side].show({
      scene,
      step,
      place,
      zoom,
      name: run,
      short: picked.shorts.get(run),
      cell: cellName(about),
      of: course.steps.length,
      newest: step === course.steps.at(-1),
      beyond: one.batch.labels.share_beyond?.[of.component] ?? 0,
      note: noteOf(app, side, held),
    });
  }
  const first = held.values().next().value;
  app.legend(first && { view, farthest, colours });
}

/** What makes a comparison less than it seems. */
function noteOf(app, side, held) {
  const mine = held.get(side);
  const notes = [];
  const part = app.state.part;
  // A cell with one state has all of it there.
  const same = split(part)[1] === "both" && split(mine.component)[1] === "h";
  if (part && mine.component !== part && !same)
    notes.push(`This trial has no ${spoken(part)}; shown is ${spoken(mine.component)}.`);
  if (side === "b" && held.has("a") && !app.chosen.same) {
    const [ours, theirs] = ["b", "a"].map((one) =>
      held.get(one).labels.inputs[held.get(one).item].join("\u0000"),
    );
    if (ours !== theirs) notes.push("It read other text than the trial beside it.");
    if (app.sides.a.step !== app.sides.b.step)
      notes.push("Its nearest recorded batch is at another update.");
  }
  return notes.join(" ");
}

function drawControls(app) {
  const { state, sides, chosen: picked } = app;
  const components = sides.a.about.components ?? [];
  const scene = app.panels.a.scene();
  app.controls.show({
    ...picked,
    state,
    steps: { a: sides.a.step, b: sides.b?.step },
    components,
    component: closest(components, state.part) ?? "",
    measures: scene ? Object.keys(scene.record.measures) : [],
    measure: scene?.measure ?? "",
    view: scene?.view ?? "bars",
    items: scene?.record.items ?? 1,
    item: scene?.item ?? 0,
  });
}

export function point(app, hover) {
  app.hover = hover;
  const pinned = app.state.loss === "" ? null : Number(app.state.loss);
  for (const side of SIDES) if (app.sides[side]) app.panels[side].point(hover, pinned);
}

function parseZoom(text) {
  const [k, x, y] = text.split("_").map(Number);
  return k >= 1 && Number.isFinite(x) && Number.isFinite(y) ? bounded({ k, x, y }) : WHOLE;
}
