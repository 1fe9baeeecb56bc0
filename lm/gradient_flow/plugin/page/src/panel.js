// One trial: its facts, its figure, and what is pointed at.

import { select } from "d3-selection";
import { scaleLinear } from "d3-scale";
import { drawBottom, drawLeft } from "./axes.js";
import { drawBars, liftLoss } from "./bars.js";
import { batchFacts, horizonFacts, pointedFacts } from "./facts.js";
import { figure } from "./figure.js";
import { drawHeat, frameCell } from "./heat.js";
import { WHOLE } from "./layout.js";
import { SHARE } from "./flow.js";
import { depth, drawStrip } from "./strip.js";
import { drawTokens } from "./tokens.js";
import { drawUnits, nameUnits } from "./units.js";
import { count, percent } from "./words.js";
import { follow, listen } from "./pointing.js";

/**
 * actions: point({j, t, unit}) as the pointer moves, null where it leaves; pin(t) on a click;
 * zoomed({k, x, y}).
 */
export function panel(parent, side, actions) {
  const root = select(parent).append("section").attr("class", `panel ${side}`);
  const head = root.append("header");
  head.append("span").attr("class", "dot");
  head.append("h2");
  head.append("span").attr("class", "cell");
  root.append("p").attr("class", "facts");
  root.append("p").attr("class", "note");
  const drawn = figure(root.node(), "gradient flow of one batch");
  root.append("p").attr("class", "horizon").attr("aria-live", "polite");
  root.append("p").attr("class", "pointed");
  const self = { root, drawn, scene: null, shown: null, actions, zoom: WHOLE };
  listen(self);
  return {
    node: root.node(),
    width: () => drawn.node.clientWidth,
    show: (given) => show(self, given),
    message: (text) => message(self, text),
    point: (hover, pinned) => point(self, hover, pinned),
    scene: () => self.scene,
  };
}

/** given: {scene, name, about, note, facts..., zoom}. */
function show(self, given) {
  const { root, drawn } = self;
  const { scene } = given;
  self.scene = scene;
  root.classed("waiting", false);
  root.select("h2").text(given.short).attr("title", given.name);
  root.select(".cell").text(given.cell);
  root
    .select(".facts")
    .selectAll("span")
    .data(batchFacts(given))
    .join("span")
    .attr("class", ({ strong, bad }) => (bad ? "bad" : strong ? "strong" : null))
    .text(({ text }) => text);
  root.select(".note").text(given.note);
  drawn.resize(self.drawn.node.clientWidth, scene.place.height);
  drawn.svg.attr("aria-label", root.select(".facts").text());
  drawScene(self);
  follow(self, given.zoom);
}

function message(self, text) {
  self.scene = null;
  self.root.classed("waiting", true);
  self.root.select(".facts").text(text);
}

function drawScene({ drawn, scene }) {
  const { place, view, T } = scene;
  const marks = drawn.marks();
  const named = drawn.layer("units");
  named.selectAll("*").remove();
  if (view === "bars") drawBars(marks, scene);
  if (view === "heat" && scene.image) drawHeat(marks, scene);
  if (view === "units" && scene.units) {
    drawUnits(marks, scene);
    nameUnits(named, scene, { percent });
  }
  drawValues(drawn, scene);
  drawTokens(drawn.layer("rows"), drawn.clipped("tokens", place.plot), scene);
  const { left, width } = place.plot;
  const steps = scaleLinear()
    .domain([left, left + width].map(place.stepOf))
    .range([left, left + width]);
  const y = place.strip.top + place.strip.height;
  drawBottom(drawn.layer("steps"), steps, y, Math.min(12, T), whole);
  drawNames(drawn, scene);
}

function whole(step) {
  return Number.isInteger(step) ? step : "";
}

/** The axis on the left: values of the bars, losses of the heat map. */
function drawValues(drawn, { view, place, scale, units, T }) {
  const axis = drawn.layer("values");
  axis.selectAll("*").remove();
  if (view === "bars") drawLeft(axis, scale, place.plot.left);
  if (view === "heat") {
    const { top, height } = place.plot;
    const losses = scaleLinear()
      .domain([top, top + height].map(place.lossOf))
      .range([top, top + height]);
    drawLeft(axis, losses, place.plot.left, Math.min(10, T), whole);
  }
  const missing = view === "units" && !units;
  drawn
    .layer("missing")
    .selectAll("text")
    .data(missing ? ["Units were not recorded: add gradient_flow.units=true to the run."] : [])
    .join("text")
    .attr("x", place.plot.left + place.plot.width / 2)
    .attr("y", place.plot.top + place.plot.height / 2)
    .attr("text-anchor", "middle")
    .text((text) => text);
}

function drawNames(drawn, { view, kind, place }) {
  const { left, top, width, height } = place.plot;
  const { strip } = place;
  const titles = { bars: "arrives at this step", heat: "loss at step", units: "unit, its share" };
  const names = [
    { text: titles[view], x: 8, y: top + height / 2, turn: true },
    { text: "its horizon", x: 8, y: strip.top + strip.height / 2, turn: true },
    { text: "peak", x: left - 8, y: strip.top + strip.height, turn: false },
    { text: kind === "log" ? "10⁻⁴" : "0", x: left - 8, y: strip.top + 4, turn: false },
    {
      text: "10%",
      x: left + width + 27,
      y: strip.top + depth({ kind }, SHARE) * strip.height + 4,
      turn: false,
    },
  ];
  drawn
    .layer("names")
    .selectAll("text")
    .data(names)
    .join("text")
    .attr("text-anchor", ({ turn }) => (turn ? "middle" : "end"))
    .attr("transform", ({ x, y, turn }) => `translate(${x},${y})${turn ? " rotate(-90)" : ""}`)
    .text(({ text }) => text);
}

/** Show what is pointed at, in this panel or in the one beside it. */
function point(self, hover, pinned) {
  const { scene, drawn, root } = self;
  if (!scene) return;
  const limit = (step) =>
    step === null || step === undefined ? null : Math.min(step, scene.T - 1);
  const t = limit(hover?.t) ?? limit(pinned) ?? scene.sums.top.t;
  const j = limit(hover?.j);
  const over = drawn.over();
  const asked = (hover?.t ?? pinned ?? null) !== null;
  self.shown = t;
  if (scene.view === "bars" && asked) liftLoss(over, scene, t);
  if (scene.view === "heat" && asked) frameCell(over, scene, t, j);
  drawStrip(over, scene, t);
  markSteps(drawn, scene, t, j);
  root.select(".horizon").text(horizonFacts(scene, t));
  root.select(".pointed").text(hover ? pointedFacts(scene, { ...hover, j, t }) : "");
}

function markSteps(drawn, { place }, t, j) {
  const { top, bottom } = place.rows;
  const marks = [
    { step: t, name: "loss" },
    ...(j === null || j === t ? [] : [{ step: j, name: "step" }]),
  ];
  drawn
    .clipped("marks", place.plot)
    .selectAll("rect")
    .data(marks)
    .join("rect")
    .attr("class", ({ name }) => name)
    .attr("x", ({ step }) => place.x(step))
    .attr("y", top - 2)
    .attr("width", place.step)
    .attr("height", bottom - top + 2);
}

export function cellName({ cell, layers, T }) {
  const names = { rnn: "vanilla RNN", gru: "GRU", lstm: "LSTM" };
  const known = names[cell] ?? String(cell ?? "").toUpperCase();
  return [known, layers > 1 && `${layers} layers`, T && `${count(T)} steps`]
    .filter(Boolean)
    .join(", ");
}
