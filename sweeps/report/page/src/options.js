// The best metric over each option: a point a trial, the mean and the best at each value.

import { scaleLinear, scaleLog } from "d3-scale";
import { painter, tone } from "./colours.js";
import { padded } from "./curves.js";
import { element } from "./elements.js";
import { drawMark, Figure, highlightPoints, nearestPoint } from "./figure.js";
import { bounds, mean, withoutOutliers } from "./statistics.js";

const NEAR = 18;
const EDGE = 8;
const BAND = 20;

export function makeOptions(app) {
  const place = document.getElementById("options");
  const note = document.getElementById("options-note");
  const chooser = document.getElementById("option");
  const margin = { top: 12, right: 14, bottom: 62, left: 62 };
  const figures = app.dimensions
    .filter((one) => !["metric", "status"].includes(one.key))
    .map((dimension) => {
      const box = element("div", { className: "figure" });
      place.append(box);
      const one = { dimension, box, points: [], figure: null };
      one.figure = new Figure(box, margin, () => draw(last));
      one.figure.points(app, (x, y) => nearestPoint(app, one.points, x, y, NEAR));
      return one;
    });
  let last = [];
  let paint = null;

  function draw(trials) {
    last = trials;
    const chosen = app.state.option;
    place.classList.toggle("alone", Boolean(chosen));
    const values = trials.filter((trial) => trial.counted).map((trial) => trial.best);
    const { range, cut } = app.state.outliers
      ? { range: bounds(values), cut: false }
      : withoutOutliers(values, app.data.mode);
    paint = painter(app, trials).colourOf;
    for (const one of figures) {
      one.box.hidden = Boolean(chosen) && one.dimension.key !== chosen;
      if (!one.box.hidden) drawOne(one, trials, range);
    }
    const words = [
      `A point is a trial's best ${app.data.metric}. The line is the mean of the finished and stopped trials at a value, the dashed line the best of them.`,
    ];
    if (trials.some((trial) => trial.best === null || !trial.counted)) {
      words.push(`A cross at the edge is a trial that diverged, failed or has no value yet.`);
    }
    if (cut)
      words.push(
        "The worst twentieth of the trials stands at the edge, too; tick “outliers” to see their values.",
      );
    note.textContent = figures.length && trials.length ? words.join(" ") : "";
  }

  function drawOne(one, trials, range) {
    const { dimension, figure } = one;
    const there = trials.filter((trial) => dimension.placeOf(trial) !== null);
    one.points = [];
    if (!there.length) {
      figure.empty(app.nothing());
      return;
    }
    const context = figure.begin(
      `Best ${app.data.metric} of ${there.length} trials over ${dimension.name}.`,
    );
    const x = scaleOf(dimension, there, figure.width);
    const isMin = app.data.mode === "min";
    // What has no value that counts stands beyond all values, at the bad end.
    const y = scaleLinear(padded(range ?? [0, 1], false), [
      figure.height - (isMin ? 0 : BAND),
      isMin ? BAND : 0,
    ]);
    const labels = dimension.listed ? dimension.ticks.map((text, at) => [at, text]) : undefined;
    figure.axes({
      x,
      y,
      xTitle: dimension.name,
      xLabels: labels,
      xFormat: dimension.log ? "~g" : undefined,
    });
    const paper = tone("paper");
    const edge = isMin ? EDGE : figure.height - EDGE;
    one.points = there.map((trial, at) => {
      const where = dimension.placeOf(trial);
      // Trials of a value stand side by side, spread alike each time.
      const aside = dimension.listed ? (((at * 0.618) % 1) - 0.5) * 0.34 : 0;
      const inside = trial.counted && range && trial.best >= range[0] && trial.best <= range[1];
      return { trial, x: x(where + aside), y: inside ? y(trial.best) : edge, cross: !inside };
    });
    context.globalAlpha = there.length > 200 ? 0.6 : 0.9;
    for (const point of [...one.points].reverse()) {
      const colour = point.cross
        ? tone(point.trial.status === "finished" ? "soft" : point.trial.status)
        : paint(point.trial);
      drawMark(
        context,
        point.cross ? "×" : "",
        point.x,
        point.y,
        there.length > 200 ? 5 : 7,
        colour,
        paper,
      );
    }
    context.globalAlpha = 1;
    drawTrend(context, one, there, x, y, range);
    highlightOne(one);
  }

  function drawTrend(context, { dimension, figure }, trials, x, y, range) {
    if (!range) return;
    const parts = partsOf(app, dimension, trials).filter((part) => part.values.length);
    const best = app.data.mode === "min" ? Math.min : Math.max;
    const lines = [
      [parts.map((part) => [x(part.at), y(mean(part.values))]), [], 1.8],
      [parts.map((part) => [x(part.at), y(best(...part.values))]), [4, 3], 1.4],
    ];
    figure.inside(context, () => {
      context.strokeStyle = tone("ink");
      for (const [points, dash, width] of lines) {
        context.setLineDash(dash);
        context.lineWidth = width;
        context.beginPath();
        const isOrdered =
          !dimension.listed || app.axes.find((axis) => axis.key === dimension.key)?.numeric;
        points.forEach(([px, py], at) => {
          // Names have no order: a short line at each, not one from each to the next.
          if (isOrdered && points.length > 1) context[at ? "lineTo" : "moveTo"](px, py);
          else {
            const half = dimension.listed ? (0.3 * figure.width) / dimension.labels.length : 12;
            context.moveTo(px - half, py);
            context.lineTo(px + half, py);
          }
        });
        context.stroke();
      }
      context.setLineDash([]);
    });
  }

  function highlightOne(one) {
    if (one.points.length) highlightPoints(app, one.figure, one.points, paint);
  }

  function highlight() {
    for (const one of figures) if (!one.box.hidden) highlightOne(one);
  }

  chooser.closest("section").hidden = !figures.length;
  return { draw, highlight };
}

function scaleOf(dimension, trials, width) {
  if (dimension.listed) return scaleLinear([-0.5, dimension.labels.length - 0.5], [0, width]);
  const [low, high] = padded(bounds(trials.map(dimension.placeOf)), dimension.log);
  return (dimension.log ? scaleLog() : scaleLinear()).domain([low, high]).range([0, width]);
}

/** The values of an option, or the ranges of many, each with the best values of its trials. */
export function partsOf(app, dimension, trials) {
  const place = app.axes.findIndex((axis) => axis.key === dimension.key);
  const parts = new Map(
    app.axes[place].ranges.map(([name]) => [name, { name, values: [], places: [] }]),
  );
  for (const trial of trials) {
    const part = parts.get(app.rangeOf[place].get(trial.settings[place]));
    if (!part || !trial.counted) continue;
    part.values.push(trial.best);
    part.places.push(dimension.placeOf(trial));
  }
  const middle = (places) => {
    const sorted = [...places].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  };
  return [...parts.values()].map((part) => ({ ...part, at: middle(part.places) }));
}
