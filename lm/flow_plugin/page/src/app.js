// What is chosen -> what is shown. One state, which the address has too; everything else follows.

import { cellName, panel } from "./panel.js";
import { chosenView, contents, rangeOf, sceneOf } from "./scene.js";
import { coloursOf } from "./colours.js";
import { controls, curveChoice } from "./controls.js";
import { bounded, WHOLE } from "./layout.js";
import { closest, split, spoken } from "./parts.js";
import { emptyState } from "./empty.js";
import { formatState, matcher, parseRange, parseState } from "./state.js";
import { keyed } from "./keys.js";
import { legend } from "./legend.js";
import { nearest } from "./series.js";
import { overview } from "./overview.js";
import { select } from "d3-selection";

const EVERY = 5000; // ms between two looks for new records
const CURVES = { max: 0, sum: 1, horizon: 2 };
const UNITS = { max: "", sum: "", horizon: " steps" };
const VERSION = 1;
const SIDES = ["a", "b"];

export function start(root, host, source) {
  const app = {
    host, source, runs: {}, sides: { a: null, b: null }, preview: null, hover: null, asked: 0, error: "",
    state: parseState(host.address(), host.prefix),
  };
  app.state.filter ||= host.filter();
  build(app, root);
  const redraw = () => draw(app);
  host.watch({
    themed: redraw,
    filtered: (filter) => change(app, { filter }),
    addressed: () => {
      app.state = parseState(host.address(), host.prefix);
      refresh(app);
    },
  });
  new ResizeObserver(redraw).observe(root);
  keyed(host, (step) => root.offsetParent && keys(app, step));
  if (source.live) setInterval(() => root.offsetParent && look(app), EVERY);
  return look(app);
}

function build(app, root) {
  const change_ = (patch) => change(app, patch);
  app.root = root;
  app.controls = controls(root, change_);
  app.empty = emptyState(root);
  const card = select(root).append("section").attr("class", "overview");
  const head = card.append("header");
  head.append("h2").text("Over training");
  app.curve = curveChoice(head.node(), change_);
  head.append("span").attr("class", "of");
  app.overview = overview(card.node(), {
    hover: (step) => preview(app, step),
    choose: (step) => step !== null && change(app, { step: String(step), loss: "" }),
    range: (range) => change(app, { range: range ? range.join("-") : "" }),
  });
  app.legend = legend(root);
  const pair = select(root).append("div").attr("class", "pair");
  app.pair = pair;
  app.panels = Object.fromEntries(SIDES.map((side) => [side, panel(pair.node(), side, {
    point: (hover) => point(app, hover),
    pin: (t) => change(app, { loss: app.state.loss === String(t) ? "" : String(t) }),
    zoomed: ({ k, x, y }) => change(app, { zoom: k === 1 ? "" : [k, x, y].map((one) => +one.toFixed(4)).join("_") }),
  })]));
}

function change(app, patch) {
  app.state = { ...app.state, ...patch };
  app.host.remember(formatState(app.state, app.host.prefix));
  return refresh(app);
}

/** Ask which runs there are, and take in what is new. */
async function look(app) {
  try {
    const found = await app.source.runs();
    for (const [run, { last }] of Object.entries(found)) {
      if (app.runs[run] && last < app.runs[run].last) app.source.forget(run);
    }
    const same = JSON.stringify(found) === JSON.stringify(app.runs);
    const failed = app.error;
    [app.runs, app.error] = [found, ""];
    if (!same || failed || !app.looked) await refresh(app);
    app.looked = true;
  } catch (error) {
    app.error = `TensorBoard does not answer: ${error.message}`;
    draw(app);
  }
}

/** Which trials are shown, of those that the filter leaves. */
function chosen(app) {
  const all = Object.keys(app.runs);
  const matches = matcher(app.state.filter);
  const names = matches ? all.filter(matches) : all;
  const run = names.includes(app.state.run) ? app.state.run : (names[0] ?? "");
  const other = names.includes(app.state.with) ? app.state.with : "";
  return { all: all.length, names, run, with: other, valid: Boolean(matches) };
}

/** Load what the state asks for, then draw it; an older request that ends later counts no more. */
async function refresh(app) {
  const asked = ++app.asked;
  app.chosen = chosen(app);
  const wanted = { a: app.chosen.run, b: app.chosen.with };
  await Promise.all(SIDES.map(async (side) => {
    const found = wanted[side] ? await load(app, wanted[side], side) : null;
    if (asked === app.asked) app.sides[side] = found;
  }));
  if (asked !== app.asked) return;
  draw(app);
  ahead(app);
}

async function load(app, run) {
  const { about, last } = app.runs[run];
  const side = { run, about, course: null, batch: null, step: null, place: -1, error: "" };
  try {
    if (about.v !== VERSION) throw new Error(unreadable(about.v));
    side.course = await app.source.overview(run, last);
    side.step = kept(side, app.preview ?? chosenStep(app));
    side.place = side.course.steps.indexOf(side.step);
    side.batch = await app.source.batch(run, side.step);
  } catch (error) {
    side.error = error.message;
  }
  return side;
}

/** Infinity: the newest. */
function chosenStep({ state }) {
  return state.step === "" ? Infinity : Number(state.step);
}

/** The step of a trial's recorded batch that is nearest to a step. */
function kept({ course }, step) {
  const there = course.kept ?? course.steps;
  return there[step === Infinity ? there.length - 1 : nearest(there, step)];
}

function unreadable(version) {
  return version === undefined
    ? "These records say nothing of themselves that can be read."
    : `These records are of version ${version}, and this page reads version ${VERSION}; update lm-sweeps.`;
}

/** Have the neighbours at hand: the next key press shows them at once. */
function ahead(app) {
  for (const side of SIDES) {
    const one = app.sides[side];
    if (!one?.batch || app.preview !== null) continue;
    const there = one.course.kept ?? one.course.steps;
    const at = there.indexOf(one.step);
    for (const step of [there[at - 1], there[at + 1]]) {
      if (step !== undefined) app.source.batch(one.run, step).catch(() => {});
    }
  }
}

function draw(app) {
  if (!app.chosen) return;
  const { state, sides, chosen: picked } = app;
  const dark = app.host.dark();
  app.root.classList.toggle("dark", dark);
  app.controls.found({ ...picked, filter: state.filter });
  const told = app.empty({ ...picked, filter: state.filter, error: app.error, live: app.source.live });
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
  const series = shown.flatMap((side) => {
    const { course, about } = app.sides[side];
    if (!course) return [];
    const at = course.steps.length && about.components.indexOf(closest(about.components, state.part));
    const column = CURVES[state.curve] ?? 0;
    const values = course.steps.map((_, place) => course.values[(place * course.components + at) * 3 + column]);
    return [{ side, steps: course.steps, values }];
  });
  app.curve(state.curve);
  const what = { max: "largest contribution of each recorded batch", sum: "sum of all contributions of each recorded batch", horizon: "steps back until a loss falls below 10% of its peak, on average" };
  select(app.root).select(".overview .of").text(what[state.curve]);
  if (!series.length) return;
  const range = parseRange(state.range);
  app.overview.show({ series, kind: state.scale, range, colours: app.colours, unit: UNITS[state.curve] });
  markOverview(app);
}

function markOverview(app) {
  const marks = SIDES.flatMap((side) => {
    const one = app.sides[side];
    if (!one?.course) return [];
    const hovered = { side, step: one.step, kind: "hovered" };
    return [{ side, step: kept(one, chosenStep(app)), kind: "chosen" }, ...(app.preview === null ? [] : [hovered])];
  });
  app.overview.mark(marks);
}

function drawPanels(app, shown) {
  const { state, colours } = app;
  const held = new Map();
  for (const side of shown) {
    const one = app.sides[side];
    if (one.batch) held.set(side, contents(one.batch, one.about.components, state));
    else app.panels[side].message(one.error);
  }
  const view = chosenView(state.view, Math.max(...[...held.values()].map(({ grid }) => grid.T)));
  const ranges = new Map([...held].map(([side, of]) => [side, rangeOf(of, view)]));
  const all = [...ranges.values()];
  const shared = { low: Math.min(...all.map(({ low }) => low)), high: Math.max(...all.map(({ high }) => high)) };
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
      scene, step, place, zoom,
      name: run,
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
  if (part && mine.component !== part && !same) notes.push(`This trial has no ${spoken(part)}; shown is ${spoken(mine.component)}.`);
  if (side === "b" && held.has("a")) {
    const [ours, theirs] = ["b", "a"].map((one) => held.get(one).labels.inputs[held.get(one).item].join("\u0000"));
    if (ours !== theirs) notes.push("It read other text than the trial beside it.");
    if (app.sides.a.step !== app.sides.b.step) notes.push("Its nearest recorded batch is at another update.");
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
    components,
    component: closest(components, state.part) ?? "",
    measures: scene ? Object.keys(scene.record.measures) : [],
    measure: scene?.measure ?? "",
    view: scene?.view ?? "bars",
    items: scene?.record.items ?? 1,
    item: scene?.item ?? 0,
  });
}

function point(app, hover) {
  app.hover = hover;
  const pinned = app.state.loss === "" ? null : Number(app.state.loss);
  for (const side of SIDES) if (app.sides[side]) app.panels[side].point(hover, pinned);
}

/** Show another batch for as long as the pointer is on it. */
function preview(app, step) {
  if (step === app.preview) return markOverview(app);
  app.preview = step;
  return refresh(app);
}

/** Go so many recorded batches on, or losses; gives whether there is anything to go through. */
function keys(app, { by, loss, drop }) {
  const side = app.sides.a;
  const scene = app.panels.a.scene();
  if (!side?.course || !scene) return false;
  const inside = (place, size) => Math.max(0, Math.min(size - 1, place));
  if (drop) {
    change(app, { loss: "", zoom: "", range: "" });
  } else if (loss) {
    const now = app.state.loss === "" ? scene.sums.top.t : Number(app.state.loss);
    change(app, { loss: String(inside(now + loss, scene.T)) });
  } else {
    const there = side.course.kept ?? side.course.steps;
    const at = inside(there.indexOf(kept(side, chosenStep(app))) + by, there.length);
    // The newest stays the newest while training goes on.
    change(app, { step: at === there.length - 1 ? "" : String(there[at]) });
  }
  return true;
}

function parseZoom(text) {
  const [k, x, y] = text.split("_").map(Number);
  return k >= 1 && Number.isFinite(x) && Number.isFinite(y) ? bounded({ k, x, y }) : WHOLE;
}
