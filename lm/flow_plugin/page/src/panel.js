// One trial: its facts, its figure, and what is pointed at.

import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { drawBottom, drawLeft } from "./axes.js";
import { drawBars, liftLoss, lossIn } from "./bars.js";
import { batchFacts, horizonFacts, pointedFacts } from "./facts.js";
import { figure } from "./figure.js";
import { drawHeat, frameCell } from "./heat.js";
import { bounded, WHOLE } from "./layout.js";
import { SHARE } from "./flow.js";
import { depth, drawStrip } from "./strip.js";
import { drawTokens } from "./tokens.js";
import { drawUnits, nameUnits, rowOf } from "./units.js";
import { count, percent } from "./words.js";
import { scaleLinear } from "d3-scale";

const MOST_ZOOM = 40;

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
  const self = { root, drawn, scene: null, focus: null, actions, zoom: WHOLE };
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
  root.select("h2").text(given.name).attr("title", given.name);
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
  drawTokens(drawn.layer("tokens"), scene);
  const steps = scaleLinear()
    .domain([place.stepAt(place.plot.left) + 0.5, place.stepAt(place.plot.left + place.plot.width) + 1.5])
    .range([place.plot.left, place.plot.left + place.plot.width]);
  const y = place.strip.top + place.strip.height;
  drawBottom(drawn.layer("steps"), steps, y, Math.min(12, T), (step) => (Number.isInteger(step) ? step : ""));
  drawNames(drawn, scene);
}

/** The axis on the left: values of the bars, losses of the heat map. */
function drawValues(drawn, { view, place, scale, units, T }) {
  const axis = drawn.layer("values");
  axis.selectAll("*").remove();
  if (view === "bars") drawLeft(axis, scale, place.plot.left);
  if (view === "heat") {
    const { top, height } = place.plot;
    const losses = scaleLinear()
      .domain([(top - place.y(0)) / place.tall + 0.5, (top + height - place.y(0)) / place.tall + 0.5])
      .range([top, top + height]);
    drawLeft(axis, losses, place.plot.left, Math.min(10, T));
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
  const titles = { bars: "arrives at this step", heat: "loss at step", units: "" };
  const names = [
    { text: titles[view], x: 12, y: top + height / 2, turn: true },
    { text: "its horizon", x: 12, y: strip.top + strip.height / 2, turn: true },
    { text: "peak", x: left - 8, y: strip.top + strip.height, turn: false },
    { text: kind === "log" ? "10⁻⁴" : "0", x: left - 8, y: strip.top + 4, turn: false },
    { text: "10%", x: left + width + 27, y: strip.top + depth({ kind }, SHARE) * strip.height + 4, turn: false },
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
  const limit = (step) => (step === null || step === undefined ? null : Math.min(step, scene.T - 1));
  const t = limit(hover?.t) ?? limit(pinned) ?? scene.sums.top.t;
  const j = limit(hover?.j);
  const over = drawn.over();
  const asked = hover?.t !== undefined && hover?.t !== null ? true : pinned !== null;
  if (scene.view === "bars" && asked) liftLoss(over, scene, t);
  if (scene.view === "heat" && asked) frameCell(over, scene, t, j);
  drawStrip(over, scene, t);
  markSteps(drawn, scene, t, j);
  root.select(".horizon").text(horizonFacts(scene, t));
  root.select(".pointed").text(hover ? pointedFacts(scene, { ...hover, j, t }) : "");
}

function markSteps(drawn, { place }, t, j) {
  const { top, bottom } = place.rows;
  const marks = [{ step: t, name: "loss" }, ...(j === null || j === t ? [] : [{ step: j, name: "step" }])];
  drawn
    .layer("marks")
    .selectAll("rect")
    .data(marks.filter(({ step }) => place.x(step + 1) > place.plot.left && place.x(step) < place.plot.left + place.plot.width))
    .join("rect")
    .attr("class", ({ name }) => name)
    .attr("x", ({ step }) => place.x(step))
    .attr("y", top - 2)
    .attr("width", place.step)
    .attr("height", bottom - top + 2);
}

/** What lies under the pointer: {j, t, unit}, or null. */
function under({ scene, focus }, [px, py]) {
  const { place, view } = scene;
  const { left, width, top, height } = place.plot;
  if (px < left || px > left + width || py > place.strip.top + place.strip.height) return null;
  const j = place.stepAt(px);
  if (py >= place.strip.top - 14) return { j, t: focus };
  if (py > top + height) return { j, t: j };
  if (view === "bars") return { j, t: lossIn(scene, j, py) };
  if (view === "heat") return { j, t: place.lossAt(py) };
  return scene.units ? { j, t: j, unit: rowOf(scene, py) } : null;
}

function listen(self) {
  const node = self.drawn.node;
  const at = (event) => {
    const { left, top } = node.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  node.addEventListener("pointermove", (event) => {
    if (!self.scene || event.buttons) return;
    const hover = under(self, at(event));
    // In the strip the loss stays the one that is shown there.
    if (hover && hover.t === null) hover.t = self.scene.sums.top.t;
    if (hover) self.focus = hover.t;
    self.actions.point(hover);
  });
  node.addEventListener("pointerleave", () => self.actions.point(null));
  node.addEventListener("click", (event) => {
    const hover = self.scene && under(self, at(event));
    if (hover) self.actions.pin(hover.t);
  });
  zoomable(self, node);
}

function zoomable(self, node) {
  // A wheel scrolls the page, unless the picture is one to go into.
  const wanted = (event) =>
    event.type === "wheel"
      ? self.scene?.view === "heat" || event.ctrlKey || event.metaKey
      : !event.button && self.zoom.k > 1;
  self.behaviour = zoom()
    .scaleExtent([1, MOST_ZOOM])
    .filter(wanted)
    .on("zoom", ({ transform, sourceEvent }) => {
      if (!sourceEvent || !self.scene) return;
      const { left, top, width, height } = self.scene.place.plot;
      const { k } = transform;
      // d3 zooms about the figure's corner, the figure about its plot's.
      const x = (transform.x + left * k - left) / width;
      const y = (transform.y + top * k - top) / height;
      self.actions.zoomed(bounded({ k, x, y }));
    });
  select(node).call(self.behaviour).on("dblclick.zoom", () => self.actions.zoomed(WHOLE));
}

/** Take over a zoom that was set elsewhere. */
function follow(self, given) {
  self.zoom = given;
  const { left, top, width, height } = self.scene.place.plot;
  const { k } = given;
  const transform = zoomIdentity
    .translate(given.x * width - left * k + left, given.y * height - top * k + top)
    .scale(k);
  select(self.drawn.node).call(self.behaviour.transform, transform);
}

export function cellName({ cell, layers, T }) {
  const names = { rnn: "vanilla RNN", gru: "GRU", lstm: "LSTM" };
  const known = names[cell] ?? String(cell ?? "").toUpperCase();
  return [known, layers > 1 && `${layers} layers`, T && `${count(T)} steps`].filter(Boolean).join(", ");
}
