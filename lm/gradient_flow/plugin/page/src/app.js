// One state, which the address has too: what is chosen. Everything else follows from it.

import { select } from "d3-selection";
import { controls, curveChoice, sideChoice } from "./controls.js";
import { draw, point } from "./drawing.js";
import { emptyState } from "./empty.js";
import { keyed } from "./keys.js";
import { legend } from "./legend.js";
import { introduction } from "./introduction.js";
import { activeSide, ahead, chosen, kept, load, selectedStep, SIDES } from "./loading.js";
import { overview } from "./overview.js";
import { panel } from "./panel.js";
import { highest } from "./series.js";
import { formatState, parseRange, parseState } from "./state.js";

const EVERY = 5000; // ms between two looks for new records

export function start(root, host, source) {
  const app = {
    host,
    source,
    runs: {},
    sides: { a: null, b: null },
    preview: null,
    previewing: false,
    active: "a",
    hover: null,
    asked: 0,
    error: "",
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
  let width = 0;
  new ResizeObserver(() => {
    if (root.clientWidth !== width) redraw();
    width = root.clientWidth;
  }).observe(root);
  keyed(host, (step) => root.offsetParent && keys(app, step));
  if (source.live) setInterval(() => root.offsetParent && look(app), EVERY);
  return look(app);
}

function build(app, root) {
  const change_ = (patch) => change(app, patch);
  app.root = root;
  select(root).append("h1").text("Gradient flow");
  app.controls = controls(root, change_);
  app.empty = emptyState(root);
  introduction(root);
  const card = select(root).append("section").attr("class", "overview");
  const head = card.append("header");
  head.append("h2").text("Over training");
  app.curve = curveChoice(head.node(), change_);
  head
    .append("button")
    .attr("type", "button")
    .attr("class", "largest")
    .attr("title", "select the batch with the highest bar in sight")
    .text("Largest batch")
    .on("click", () => largest(app));
  app.side = sideChoice(head.node(), (active) => {
    app.active = active;
    draw(app);
  });
  head.append("span").attr("class", "of");
  app.overview = overview(card.node(), {
    hover: (step) => step !== app.preview && preview(app, step),
    choose: (step) => step !== null && choose(app, String(step)),
    range: (range) => change(app, { range: range ? range.join("-") : "" }),
  });
  app.legend = legend(root);
  const pair = select(root).append("div").attr("class", "pair");
  app.pair = pair;
  app.panels = Object.fromEntries(
    SIDES.map((side) => [
      side,
      panel(pair.node(), side, {
        point: (hover) => point(app, hover),
        pin: (t) => change(app, { loss: app.state.loss === String(t) ? "" : String(t) }),
        zoomed: ({ k, x, y }) =>
          change(app, { zoom: k === 1 ? "" : [k, x, y].map((one) => +one.toFixed(4)).join("_") }),
      }),
    ]),
  );
}

function change(app, patch) {
  app.state = { ...app.state, ...patch };
  app.host.remember(formatState(app.state, app.host.prefix));
  return refresh(app);
}

/** Select a batch, of the side that is chosen for; an empty step: the newest. */
function choose(app, step) {
  return change(app, activeSide(app) === "b" ? { other: step } : { step, loss: "" });
}

function largest(app) {
  const series = app.series.find(({ side }) => side === activeSide(app)) ?? app.series[0];
  const step = highest(series, parseRange(app.state.range), app.sides[series.side].course.kept);
  if (step !== null) choose(app, String(step));
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

/** Load what the state asks for, then draw it; an older request that ends later counts no more. */
async function refresh(app) {
  const asked = ++app.asked;
  app.root.setAttribute("aria-busy", "true");
  app.chosen = chosen(app);
  const wanted = { a: app.chosen.run, b: app.chosen.with };
  await Promise.all(
    SIDES.map(async (side) => {
      const found = wanted[side] ? await load(app, wanted[side], side) : null;
      if (asked === app.asked) app.sides[side] = found;
    }),
  );
  if (asked !== app.asked) return;
  draw(app);
  app.root.removeAttribute("aria-busy");
  ahead(app);
}

/** Show another batch for as long as the pointer is on it; of many on its way, the last counts. */
async function preview(app, step) {
  app.preview = step;
  if (app.previewing) return;
  app.previewing = true;
  for (let shown; shown !== app.preview;) {
    shown = app.preview;
    await refresh(app);
  }
  app.previewing = false;
}

/** Go so many recorded batches on, or losses; gives whether there is anything to go through. */
function keys(app, { by, loss, drop }) {
  const name = activeSide(app);
  const side = app.sides[name];
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
    const at = inside(there.indexOf(kept(side, selectedStep(app, name))) + by, there.length);
    // The newest stays the newest while training goes on.
    const newest = name === "a" && at === there.length - 1;
    change(app, { [name === "a" ? "step" : "other"]: newest ? "" : String(there[at]) });
  }
  return true;
}
