// Parallel coordinates: a line a trial through its options and its best metric. A range that is
// dragged along an axis filters all views.

import { axisLeft } from "d3-axis";
import { brushY } from "d3-brush";
import { scaleLinear, scaleLog } from "d3-scale";
import { select } from "d3-selection";
import { readList, readRanges, writeRanges } from "./address.js";
import { bestIs, graded, shareOf, tone } from "./colours.js";
import { element } from "./elements.js";
import { Figure, tellTrial } from "./figure.js";
import { bounds } from "./statistics.js";
import { count, short, shorten } from "./text.js";

const SPREAD = 0.3;
const LEAST_GAP = 120;
const NEAR = 14;
const TICKS = 8;
const MOST_TICKS = 14;

export function makeParallel(app) {
  const place = document.getElementById("parallel");
  const note = document.getElementById("parallel-note");
  const ranges = document.getElementById("parallel-ranges");
  const figure = new Figure(
    place,
    { top: 46, right: 74, bottom: 16, left: 70 },
    () => draw(last),
    "group",
  );
  let last = { filtered: [], matching: [] };
  let columns = [];
  let lines = new Map();
  let spreadOf = new Map();
  let metric = null;
  figure.points(app, nearest);

  function draw(trials) {
    last = trials;
    const drawn = trials.filtered.filter((trial) => trial.best !== null);
    const dimensions = inOrder(app.dimensions, readList(app.state.axes));
    note.textContent = "";
    columns = [];
    drawRanges();
    if (!drawn.length || dimensions.length < 2) {
      figure.empty(
        trials.filtered.length
          ? "there is nothing to compare: it takes two different settings with a finite value"
          : app.nothing(),
      );
      return;
    }
    place.style.minWidth = `${120 + LEAST_GAP * (dimensions.length - 1)}px`;
    const context = figure.begin(
      `Parallel coordinates of ${count(drawn.length, "trial")} over ${dimensions.map((one) => one.name).join(", ")}.`,
    );
    spreadOf = new Map(
      drawn.map((trial, at) => [trial.place, 0.5 - at / Math.max(1, drawn.length - 1)]),
    );
    columns = dimensions.map((dimension, at) => ({
      dimension,
      x: (figure.width * at) / Math.max(1, dimensions.length - 1),
      scale: scaleOf(dimension),
    }));
    const inside = new Set(trials.matching.map((trial) => trial.place));
    lines = new Map(
      drawn.map((trial) => [
        trial.place,
        columns.map(({ x, dimension }) => [x, heightOf(dimension, trial)]),
      ]),
    );
    metric = bounds(drawn.map((trial) => trial.best));
    const soft = tone("line");
    const chosen = drawn.filter((trial) => inside.has(trial.place));
    context.lineWidth = 1;
    context.strokeStyle = soft;
    for (const trial of drawn) if (!inside.has(trial.place)) stroke(context, trial);
    context.lineWidth = chosen.length > 300 ? 1.2 : 2;
    context.globalAlpha = chosen.length > 300 ? 0.4 : 0.85;
    for (const trial of [...chosen].reverse()) {
      context.strokeStyle = colourOf(trial);
      stroke(context, trial);
    }
    context.globalAlpha = 1;
    drawAxes();
    const words = [
      "Drag along an axis to keep a range, click the axis to let go; drag a name, or press the arrow keys on it, to move an axis.",
    ];
    if (columns.some(({ dimension }) => dimension.listed)) {
      words.push(
        "Lines through a value are spread around it by rank, the best highest, so that they do not hide each other.",
      );
    }
    const without = trials.filtered.length - drawn.length;
    if (without)
      words.push(
        `${count(without, "trial")} without a finite best value ${without === 1 ? "is" : "are"} left out.`,
      );
    words.push(`Coloured by best ${app.data.metric}: ${bestIs()} is best.`);
    note.textContent = words.join(" ");
    highlight();
  }

  function colourOf(trial) {
    return trial.counted ? graded(shareOf(trial.best, metric, app.data.mode)) : tone("soft");
  }

  function scaleOf(dimension) {
    if (dimension.listed) {
      return scaleLinear([-0.5, dimension.labels.length - 0.5], [figure.height, 0]);
    }
    const [low, high] = dimension.range;
    const scale = dimension.log ? scaleLog() : scaleLinear();
    return scale.domain(low === high ? [low - 1, high + 1] : [low, high]).range([figure.height, 0]);
  }

  function heightOf(dimension, trial) {
    const at = dimension.placeOf(trial);
    if (at === null) return null;
    const column = columns.find((one) => one.dimension === dimension);
    return column.scale(dimension.listed ? at + SPREAD * spreadOf.get(trial.place) : at);
  }

  function stroke(context, trial) {
    let open = false;
    context.beginPath();
    for (const [x, y] of lines.get(trial.place)) {
      if (y === null) open = false;
      else {
        context[open ? "lineTo" : "moveTo"](x, y);
        open = true;
      }
    }
    context.stroke();
  }

  function drawAxes() {
    const { left, top } = figure.margin;
    const kept = readRanges(app.state.brush);
    for (const { dimension, x, scale } of columns) {
      const group = figure.svg
        .append("g")
        .attr("class", "axis parallel")
        .attr("transform", `translate(${left + x},${top})`);
      const axis = axisLeft(scale).tickSizeOuter(0);
      if (dimension.listed) {
        const step = Math.ceil(dimension.labels.length / MOST_TICKS);
        const places = dimension.labels.map((_, at) => at).filter((at) => at % step === 0);
        axis.tickValues(places).tickFormat((at) => dimension.ticks[at]);
      } else axis.ticks(TICKS, dimension.log ? "~g" : undefined);
      group.append("g").attr("aria-hidden", "true").call(axis);
      if (dimension.listed) {
        group
          .selectAll(".tick text")
          .append("title")
          .text((at) => dimension.labels[at]);
      }
      const brush = brushY().extent([
        [-14, 0],
        [14, figure.height],
      ]);
      const pixels = kept.has(dimension.key)
        ? kept
            .get(dimension.key)
            .map((value) => clamp(scale(value)))
            .sort((a, b) => a - b)
        : null;
      const handle = group.append("g").attr("class", "brush");
      handle.call(brush).call(brush.move, pixels);
      brush.on("end", ({ selection, sourceEvent }) => {
        if (sourceEvent)
          keepRange(
            dimension,
            selection && selection.map((value) => scale.invert(value)).reverse(),
          );
      });
      addName(group, dimension, x);
    }
  }

  function clamp(pixel) {
    return Math.min(Math.max(pixel, 0), figure.height);
  }

  function addName(group, dimension, x) {
    const lines = nameLines(dimension.name);
    const name = group
      .append("g")
      .attr("class", "name")
      .attr("tabindex", 0)
      .attr("role", "button")
      .attr("aria-label", `axis ${dimension.name}: arrow keys move it`)
      .attr("data-key", dimension.key);
    name.append("title").text(dimension.name);
    lines.forEach((text, at) => {
      name
        .append("text")
        .attr("text-anchor", "middle")
        .attr("y", -12 - 14 * (lines.length - 1 - at))
        .text(text);
    });
    let from = null;
    name.node().addEventListener("pointerdown", (event) => {
      from = event.clientX;
      name.node().setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    name.node().addEventListener("pointerup", (event) => {
      if (from !== null && Math.abs(event.clientX - from) > 20)
        moveTo(dimension, x + event.clientX - from);
      from = null;
    });
    name.node().addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const order = columns.map((one) => one.dimension.key);
      const at = order.indexOf(dimension.key);
      const to = Math.min(Math.max(0, at + by), order.length - 1);
      order.splice(to, 0, ...order.splice(at, 1));
      app.set({ axes: order.join(",") }, ["parallel"]);
      place.querySelector(`[data-key="${CSS.escape(dimension.key)}"]`)?.focus();
    });
  }

  function moveTo(dimension, x) {
    const at = (one) => (one.dimension === dimension ? x : one.x);
    const order = [...columns].sort((a, b) => at(a) - at(b)).map((one) => one.dimension.key);
    app.set({ axes: order.join(",") }, ["parallel"]);
  }

  function keepRange(dimension, range) {
    const kept = readRanges(app.state.brush);
    if (range) kept.set(dimension.key, range);
    else kept.delete(dimension.key);
    app.set({ brush: writeRanges(kept) });
  }

  /** Two fields for each axis: the ranges by keyboard, and on a phone. */
  function drawRanges() {
    if (ranges.contains(document.activeElement)) return;
    const kept = readRanges(app.state.brush);
    ranges.replaceChildren(
      ...app.dimensions.map((dimension) => {
        const [low, high] = kept.get(dimension.key) ?? [null, null];
        const fields = dimension.listed
          ? labelFields(dimension, low, high)
          : numberFields(dimension, low, high);
        const change = () => {
          const [from, to] = fields.map((field) =>
            field.value === "" ? null : Number(field.value),
          );
          if (from === null && to === null) keepRange(dimension, null);
          else if (dimension.listed)
            keepRange(dimension, [(from ?? 0) - 0.4, (to ?? dimension.labels.length - 1) + 0.4]);
          else keepRange(dimension, [from ?? dimension.range[0], to ?? dimension.range[1]]);
        };
        for (const field of fields) field.addEventListener("change", change);
        return element(
          "div",
          { role: "group", "aria-label": dimension.name },
          element("b", { textContent: dimension.name }),
          "from",
          fields[0],
          "to",
          fields[1],
        );
      }),
    );
  }

  function nearest(px, py) {
    if (columns.length < 2) return null;
    const right = Math.min(
      columns.length - 1,
      Math.max(
        1,
        columns.findIndex((one) => one.x >= px),
      ),
    );
    const [a, b] = [columns[right - 1].x, columns[right].x];
    const share = (px - a) / (b - a);
    let found = null;
    for (const trial of last.matching) {
      const line = lines.get(trial.place);
      if (!line) continue;
      const [low, high] = [line[right - 1][1], line[right][1]];
      if (low === null || high === null) continue;
      const gap = Math.abs(low + (high - low) * share - py);
      if (gap < NEAR && (!found || gap < found.gap)) found = { gap, trial };
    }
    return (
      found && {
        trial: found.trial,
        words: tellTrial(app, found.trial, `best ${app.data.metric} ${short(found.trial.best)}`),
      }
    );
  }

  function highlight() {
    if (!columns.length) return;
    const lit = last.matching.filter((trial) => app.isLit(trial) && lines.has(trial.place));
    const context = figure.overlay(lit.length > 0);
    context.lineWidth = 3.5;
    for (const trial of lit) {
      context.strokeStyle = colourOf(trial);
      stroke(context, trial);
    }
  }

  return { draw, highlight };
}

function labelFields(dimension, low, high) {
  const options = (nothing) => [
    element("option", { value: "", textContent: nothing }),
    ...dimension.labels.map((label, at) =>
      element("option", { value: String(at), textContent: shorten(label) }),
    ),
  ];
  const from = element("select", { "aria-label": `${dimension.name} from` }, ...options("first"));
  const to = element("select", { "aria-label": `${dimension.name} to` }, ...options("last"));
  if (low !== null) from.value = String(Math.ceil(low));
  if (high !== null) to.value = String(Math.floor(high));
  return [from, to];
}

function numberFields(dimension, low, high) {
  const field = (value, end, at) =>
    element("input", {
      type: "number",
      step: "any",
      value: value === null ? "" : String(value),
      placeholder: dimension.range ? short(dimension.range[at], 4) : "",
      "aria-label": `${dimension.name} ${end}`,
    });
  return [field(low, "from", 0), field(high, "to", 1)];
}

/** The dimensions in an order; those that it does not name come last. */
export function inOrder(dimensions, order) {
  const at = (one) => (order.includes(one.key) ? order.indexOf(one.key) : order.length);
  return [...dimensions].sort((a, b) => at(a) - at(b));
}

/** A name in at most two lines, broken after `_`, `/`, `.` or a blank. */
export function nameLines(name, most = 16) {
  if (name.length <= most) return [name];
  const parts = name.split(/(?<=[_/. ])/);
  let first = "";
  while (parts.length > 1 && (first + parts[0]).length <= most) first += parts.shift();
  const rest = parts.join("");
  return first ? [first.trim(), shorten(rest, most)] : [shorten(rest, most)];
}
