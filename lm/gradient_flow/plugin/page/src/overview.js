// The course of training: one point for each recorded batch, thousands of them as bands.

import { select } from "d3-selection";
import { scaleLinear } from "d3-scale";
import { drawBottom, drawLeft, valueScale } from "./axes.js";
import { figure, within } from "./figure.js";
import { LEFT, RIGHT } from "./layout.js";
import { columns, extent, nearest } from "./series.js";
import { batches, count, number } from "./words.js";

const HEIGHT = 112;
const PLOT = { top: 6, height: 84 };
const LEAST_DRAG = 5; // pixels

/** actions: hover(step | null), choose(step), range([from, to] | null). */
export function overview(parent, actions) {
  const drawn = figure(parent, "every recorded batch over training");
  const caption = select(parent).append("p").attr("class", "caption");
  const self = { drawn, caption, actions, given: null, drag: null, hovered: null };
  listen(self);
  return {
    width: () => drawn.node.clientWidth,
    show: (given) => show(self, given),
    mark: (marks) => mark(self, marks),
  };
}

/** given: {series: [{side, steps, values}], kind, range, colours, unit}. */
function show(self, given) {
  self.given = given;
  const width = self.drawn.node.clientWidth;
  self.drawn.resize(width, HEIGHT);
  const plot = { ...PLOT, left: LEFT, width: Math.max(60, width - LEFT - RIGHT) };
  const ends = given.series.flatMap(({ steps }) => (steps.length ? [steps[0], steps.at(-1)] : []));
  const domain = given.range ?? [Math.min(...ends), Math.max(...ends)];
  if (domain[0] === domain[1]) domain[1] = domain[0] + 1;
  const x = scaleLinear()
    .domain(domain)
    .range([plot.left, plot.left + plot.width]);
  const found = given.series.map((one) =>
    columns(one.steps, one.values, domain, Math.floor(plot.width)),
  );
  const seen = extent(given.series.map(({ values }) => values));
  const y = valueScale(given.kind, seen ?? { low: 1, high: 1 }, [plot.top + plot.height, plot.top]);
  Object.assign(self, { plot, x, y, found, domain });
  const context = self.drawn.marks();
  within(context, { ...plot, top: 0, height: HEIGHT }, () =>
    given.series.forEach((one, at) => drawSeries(context, self, one, found[at])),
  );
  drawLeft(self.drawn.layer("values"), y, plot.left, 3);
  drawBottom(self.drawn.layer("steps"), x, plot.top + plot.height, 8, whole);
  tell(self, self.hovered);
}

function drawSeries(context, { plot, y, given }, { side }, found) {
  const colour = given.colours[side];
  const at = ({ column }) => plot.left + column + 0.5;
  context.fillStyle = context.strokeStyle = colour;
  context.globalAlpha = 0.3;
  for (const one of found) {
    if (one.count > 1)
      context.fillRect(at(one) - 0.5, y(one.high), 1, Math.max(1, y(one.low) - y(one.high)));
  }
  context.globalAlpha = 1;
  context.lineWidth = 1.2;
  context.beginPath();
  found.forEach((one, place) => context[place ? "lineTo" : "moveTo"](at(one), y(one.high)));
  context.stroke();
  if (found.length > plot.width / 4) return;
  for (const one of found) {
    context.beginPath();
    context.arc(at(one), y(one.high), 2.2, 0, 7);
    context.fill();
  }
}

function whole(step) {
  return Number.isInteger(step) ? count(step) : "";
}

/** marks: [{side, step, kind: "chosen" | "hovered"}]. */
function mark(self, marks) {
  if (!self.given) return;
  const { plot, x, y, given, domain } = self;
  const context = self.drawn.over();
  if (self.drag) {
    const [from, to] = [Math.min(...self.drag), Math.max(...self.drag)];
    context.fillStyle = given.colours.soft;
    context.globalAlpha = 0.2;
    context.fillRect(from, plot.top, to - from, plot.height);
    context.globalAlpha = 1;
  }
  for (const { side, step, kind } of marks) {
    const one = given.series.find((each) => each.side === side);
    const place = one ? nearest(one.steps, step) : -1;
    if (place < 0 || step < domain[0] || step > domain[1]) continue;
    const [px, py] = [x(step), y(one.values[place])];
    context.strokeStyle = context.fillStyle = given.colours[side];
    context.lineWidth = kind === "chosen" ? 2 : 1;
    context.setLineDash(kind === "chosen" ? [] : [3, 3]);
    context.beginPath();
    context.moveTo(px, plot.top);
    context.lineTo(px, plot.top + plot.height);
    context.stroke();
    context.setLineDash([]);
    if (!Number.isFinite(py)) continue;
    context.beginPath();
    context.arc(px, py, 4.5, 0, 7);
    context.fill();
    context.strokeStyle = given.colours.paper;
    context.stroke();
  }
}

/** The recorded batch under the pointer: of the column, the one with the highest value. */
function under({ plot, found, given }, px) {
  const near = found.flatMap((there, series) => {
    const at = nearest(
      there.map(({ column }) => column),
      px - plot.left,
    );
    return at < 0 ? [] : [{ ...there[at], series }];
  });
  const away = ({ column }) => Math.abs(column - (px - plot.left));
  const one = near.sort((this_, other) => away(this_) - away(other))[0];
  const { steps, values } = given.series[one.series];
  return { step: steps[one.top], value: values[one.top], count: one.count };
}

function tell(self, hovered) {
  const { given, domain } = self;
  if (hovered) {
    const crowd =
      hovered.count > 1
        ? `, the highest of ${hovered.count} batches in this pixel; drag to see each`
        : "";
    self.caption.text(
      `Update ${count(hovered.step)}: ${number(hovered.value)}${given.unit}${crowd}. Click to keep it.`,
    );
    return;
  }
  const inside = given.series.map(
    ({ steps }) => steps.filter((step) => step >= domain[0] && step <= domain[1]).length,
  );
  const all = given.series.map(({ steps }) => steps.length);
  const first = given.range
    ? `${count(Math.max(...inside))} of ${batches(Math.max(...all))}; double-click to see all.`
    : `${batches(Math.max(0, ...all))}. Point to preview, click to select, drag to enlarge, ← → to step.`;
  self.caption.text(first);
}

function listen(self) {
  const node = self.drawn.node;
  const across = (event) => event.clientX - node.getBoundingClientRect().left;
  const ready = () => self.given && self.found?.some((one) => one.length);
  node.addEventListener("pointerdown", (event) => {
    if (event.button || !ready()) return;
    self.drag = [across(event), across(event)];
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    if (!ready()) return;
    if (self.drag) self.drag[1] = across(event);
    const hovered = under(self, across(event));
    tell(self, (self.hovered = hovered));
    self.actions.hover(hovered?.step ?? null);
  });
  node.addEventListener("pointerup", () => {
    if (!self.drag) return;
    const [from, to] = self.drag.slice().sort((one, other) => one - other);
    self.drag = self.hovered = null;
    if (to - from < LEAST_DRAG) return self.actions.choose(under(self, to)?.step ?? null);
    const range = [from, to].map((px) => Math.round(self.x.invert(px)));
    self.actions.range([Math.max(0, range[0]), Math.max(range[0] + 1, range[1])]);
  });
  node.addEventListener("pointercancel", () => (self.drag = null));
  node.addEventListener("pointerleave", () => {
    self.hovered = null;
    if (self.given) tell(self, null);
    self.actions.hover(null);
  });
  node.addEventListener("dblclick", () => self.actions.range(null));
}
