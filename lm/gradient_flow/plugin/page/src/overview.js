// The course of training: a bar for each recorded batch; of thousands, one for each pixel.

import { select } from "d3-selection";
import { scaleLinear } from "d3-scale";
import { drawBottom, drawLeft, valueScale } from "./axes.js";
import { figure, within } from "./figure.js";
import { LEFT, RIGHT } from "./layout.js";
import { barWidth, columns, extent, nearest } from "./series.js";
import { batches, count, number } from "./words.js";

const HEIGHT = 116;
const PLOT = { top: 10, height: 84 };
const PALE = 0.55; // of bars that are not selected
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
  const bar = barWidth(
    given.series.map(({ steps }) => steps),
    domain,
    plot.width,
  );
  const x = scaleLinear()
    .domain(domain)
    .range([plot.left + bar / 2, plot.left + plot.width - bar / 2]);
  const found = given.series.map((one) =>
    columns(one.steps, one.values, domain, Math.floor(plot.width - bar)),
  );
  const seen = extent(given.series.map(({ values }) => values));
  const y = valueScale(given.kind, seen ?? { low: 1, high: 1 }, [plot.top + plot.height, plot.top]);
  Object.assign(self, { plot, x, y, found, domain, bar });
  const context = self.drawn.marks();
  within(context, { ...plot, top: 0, height: HEIGHT }, () =>
    given.series.forEach((one, at) => drawSeries(context, self, at)),
  );
  drawLeft(self.drawn.layer("values"), y, plot.left, 3);
  drawBottom(self.drawn.layer("steps"), x, plot.top + plot.height, 8, whole);
  tell(self, self.hovered);
}

/** Left edge and width of a bar in the middle of `px`: bars of several trials stand side by side. */
function barAt({ bar, given }, side, px) {
  const at = Math.max(
    0,
    given.series.findIndex((one) => one.side === side),
  );
  const width = bar / given.series.length;
  return { left: px - bar / 2 + at * width, width: Math.max(1, width - (width > 4 ? 1 : 0)) };
}

/** A bar up to the highest value of its pixels; what all of them reach is darker. */
function drawSeries(context, self, at) {
  const { plot, y, given, found, bar } = self;
  const { side } = given.series[at];
  const floor = plot.top + plot.height;
  context.fillStyle = given.colours[side];
  for (const { column, high, low, count } of found[at]) {
    const { left, width } = barAt(self, side, plot.left + bar / 2 + column);
    const draw = (value, alpha) => {
      const top = Math.min(y(value), floor - 1); // nothing is a line, which can be seen
      context.globalAlpha = alpha;
      context.fillRect(left, top, width, floor - top);
    };
    draw(high, count > 1 ? PALE / 2 : PALE);
    if (count > 1) draw(low, PALE);
  }
  context.globalAlpha = 1;
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
    const one = given.series.find((each) => each.side === side) ?? given.series[0];
    const place = nearest(one.steps, step);
    if (place < 0 || step < domain[0] || step > domain[1]) continue;
    const { left, width } = barAt(self, side, x(step));
    const floor = plot.top + plot.height;
    const top = Math.min(y(one.values[place]), floor - 1);
    context.fillStyle = given.colours[side];
    context.globalAlpha = kind === "chosen" ? 0.25 : 0.12;
    context.fillRect(left - 1, plot.top, width + 2, plot.height);
    context.globalAlpha = 1;
    if (Number.isFinite(top)) context.fillRect(left, top, width, floor - top);
    drawPointer(context, left + width / 2, plot.top, kind === "chosen");
  }
}

/** A triangle above a bar, filled where its batch is selected. */
function drawPointer(context, px, py, filled) {
  context.beginPath();
  context.moveTo(px, py);
  context.lineTo(px - 5, py - 9);
  context.lineTo(px + 5, py - 9);
  context.closePath();
  context.strokeStyle = context.fillStyle;
  context.lineWidth = 1.5;
  context.stroke();
  if (filled) context.fill();
}

/** The recorded batch under the pointer: of the column, the one with the highest value. */
function under({ plot, found, given, bar }, px) {
  const across = px - plot.left - bar / 2;
  const near = found.flatMap((there, series) => {
    const at = nearest(
      there.map(({ column }) => column),
      across,
    );
    return at < 0 ? [] : [{ ...there[at], series }];
  });
  const away = ({ column }) => Math.abs(column - across);
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
