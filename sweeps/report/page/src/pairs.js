// The best metric over two options: a heat map of means where both have few values, else the
// trials themselves over a surface that smooths between them.

import { contours } from "d3-contour";
import { geoPath, geoTransform } from "d3-geo";
import { scaleLinear, scaleLog } from "d3-scale";
import { bestIs, graded, shareOf, tone } from "./colours.js";
import { padded } from "./curves.js";
import { drawMark, Figure, nearestPoint } from "./figure.js";
import { bounds, deviation, mean } from "./statistics.js";
import { count, short } from "./text.js";

const NEAR = 18;
const GRID = 48;
const LEVELS = 10;
const WIDTH = 0.07;
const MOST_TEXTS = 150;

export function makePairs(app) {
  const note = document.getElementById("heatmap-note");
  const section = document.getElementById("heatmap-section");
  const figure = new Figure(
    document.getElementById("heatmap"),
    { top: 10, right: 16, bottom: 66, left: 116 },
    () => draw(last),
  );
  let last = [];
  let found = { cells: [], points: [] };
  figure.points(app, (x, y) => nearestPoint(app, found.points, x, y, NEAR) ?? cellAt(x, y));

  function draw(trials) {
    last = trials;
    found = { cells: [], points: [] };
    note.textContent = "";
    const [across, down] = ["across", "down"].map((id) =>
      app.dimensions.find((one) => one.key === app.state[id]),
    );
    section.hidden = app.differing.length < 2;
    if (section.hidden) return;
    if (!across || !down || across === down) {
      figure.empty("choose two different options");
      return;
    }
    const there = trials.filter(
      (trial) => across.placeOf(trial) !== null && down.placeOf(trial) !== null,
    );
    const counted = there.filter((trial) => trial.counted);
    if (!counted.length) {
      figure.empty(trials.length ? "no matching trial has a value that counts" : app.nothing());
      return;
    }
    const context = figure.begin(`Best ${app.data.metric} over ${across.name} and ${down.name}.`);
    const x = scaleOf(across, there, [0, figure.width]);
    const y = scaleOf(down, there, [figure.height, 0]);
    const isGrid = across.listed && down.listed;
    if (isGrid) drawCells(context, there, across, down, x, y);
    else drawSurface(context, there, counted, across, down, x, y);
    drawAxes(across, down, x, y);
    const what = isGrid
      ? `Mean best ${app.data.metric} of ${app.data.counted.join(" and ")} trials; ${bestIs()} is best.`
      : `The points are trials, ${bestIs()} is best. The surface smooths between them and says nothing where there are none.`;
    note.textContent = what;
    highlight();
  }

  function drawAxes(across, down, x, y) {
    const labels = (one) => (one.listed ? one.ticks.map((text, at) => [at, text]) : undefined);
    figure.axes({
      x,
      y,
      xTitle: across.name,
      yTitle: down.name,
      xLabels: labels(across),
      xFormat: across.log ? "~g" : undefined,
      yFormat: down.log ? "~g" : undefined,
    });
    if (!down.listed) return;
    const ticks = figure.svg.select(".axis.grid");
    ticks.selectAll("*").remove();
    down.ticks.forEach((text, at) => {
      ticks
        .append("text")
        .attr("x", -8)
        .attr("y", y(at))
        .attr("dy", "0.32em")
        .attr("text-anchor", "end")
        .text(text);
    });
  }

  function drawCells(context, trials, across, down, x, y) {
    const cells = new Map();
    for (const trial of trials) {
      const at = [across.placeOf(trial), down.placeOf(trial)];
      const key = at.join();
      if (!cells.has(key)) cells.set(key, { at, trials: [], values: [] });
      cells.get(key).trials.push(trial);
      if (trial.counted) cells.get(key).values.push(trial.best);
    }
    found.cells = [...cells.values()].map((cell) => ({
      ...cell,
      mean: cell.values.length ? mean(cell.values) : null,
    }));
    const range = bounds(found.cells.map((cell) => cell.mean).filter((value) => value !== null));
    const width = Math.abs(x(1) - x(0)) - 2;
    const height = Math.abs(y(1) - y(0)) - 2;
    const size = Math.min(14, Math.max(9, width / 5));
    context.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const withText = found.cells.length <= MOST_TEXTS && width > 26 && height > 12;
    for (const cell of found.cells) {
      const [px, py] = [x(cell.at[0]), y(cell.at[1])];
      cell.box = [px - width / 2, py - height / 2, width, height];
      if (cell.mean === null) {
        context.strokeStyle = tone("line");
        context.strokeRect(...cell.box);
        continue;
      }
      const colour = graded(shareOf(cell.mean, range, app.data.mode));
      context.fillStyle = colour;
      context.fillRect(...cell.box);
      if (!withText) continue;
      context.fillStyle = isBright(colour) ? "#111" : "#fff";
      context.fillText(short(cell.mean, 4), px, py);
    }
  }

  function drawSurface(context, there, counted, across, down, x, y) {
    const spots = counted.map((trial) => ({
      u: x(across.placeOf(trial)) / figure.width,
      v: y(down.placeOf(trial)) / figure.height,
      value: trial.best,
    }));
    const range = bounds(spots.map((spot) => spot.value));
    const values = surface(spots, GRID, WIDTH, across.labels?.length, down.labels?.length);
    const levels = scaleLinear([0, LEVELS - 1], range);
    const thresholds = Array.from({ length: LEVELS }, (_, at) => levels(at));
    const transform = geoTransform({
      point(px, py) {
        this.stream.point((px / GRID) * figure.width, (py / GRID) * figure.height);
      },
    });
    const path = geoPath(transform, context);
    figure.inside(context, () => {
      context.globalAlpha = 0.55;
      for (const level of contours().size([GRID, GRID]).thresholds(thresholds)(values)) {
        context.beginPath();
        path(level);
        context.fillStyle = graded(shareOf(level.value, range, app.data.mode));
        context.fill();
      }
      context.globalAlpha = 1;
    });
    const paper = tone("paper");
    found.points = there.map((trial) => ({
      trial,
      x: x(across.placeOf(trial)),
      y: y(down.placeOf(trial)),
    }));
    for (const point of [...found.points].reverse()) {
      const { trial } = point;
      const colour = trial.counted
        ? graded(shareOf(trial.best, range, app.data.mode))
        : tone(trial.status);
      drawMark(context, trial.counted ? "" : "×", point.x, point.y, 8, colour, paper);
    }
  }

  function cellAt(px, py) {
    const cell = found.cells.find(
      ({ box: [left, top, width, height] = [] }) =>
        px >= left && px <= left + width && py >= top && py <= top + height,
    );
    if (!cell) return null;
    const spread = deviation(cell.values);
    const head =
      cell.mean === null
        ? "no value"
        : `mean ${short(cell.mean)}${spread === null ? "" : `, deviation ${short(spread, 3)}`}`;
    const [across, down] = ["across", "down"].map((id) =>
      app.dimensions.find((one) => one.key === app.state[id]),
    );
    const words = [
      head,
      `${across.name} ${across.labels[cell.at[0]]}`,
      `${down.name} ${down.labels[cell.at[1]]}`,
      `${cell.values.length} of ${count(cell.trials.length, "trial")}`,
    ];
    return { trial: cell.trials.length === 1 ? cell.trials[0] : null, words };
  }

  function highlight() {
    if (section.hidden || !(found.cells.length || found.points.length)) return;
    const context = figure.overlay(false);
    context.strokeStyle = tone("ink");
    context.lineWidth = 3;
    for (const cell of found.cells) {
      if (cell.box && cell.trials.some((trial) => app.isLit(trial)))
        context.strokeRect(...cell.box);
    }
    for (const point of found.points) {
      if (app.isLit(point.trial))
        drawMark(context, "", point.x, point.y, 13, tone("accent"), tone("ink"));
    }
  }

  return { draw, highlight };
}

function scaleOf(dimension, trials, range) {
  if (dimension.listed) return scaleLinear([-0.5, dimension.labels.length - 0.5], range);
  const scale = dimension.log ? scaleLog() : scaleLinear();
  return scale.domain(padded(bounds(trials.map(dimension.placeOf)), dimension.log)).range(range);
}

/**
 * A grid of kernel means (Nadaraya, 1964; Watson, 1964) of values at spots in the unit square.
 *
 * `columns` and `rows` are the numbers of names along a side, if names stand there: they have no
 * order, so a spot says nothing beside its own name. NaN where no spot is within three widths:
 * nothing is known there.
 */
export function surface(spots, size, width, columns = 1, rows = 1) {
  const values = new Array(size * size);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const [u, v] = [(column + 0.5) / size, (row + 0.5) / size];
      let [weights, sum] = [0, 0];
      for (const spot of spots) {
        const isOther =
          Math.floor(spot.u * columns) !== Math.floor(u * columns) ||
          Math.floor(spot.v * rows) !== Math.floor(v * rows);
        if (isOther) continue;
        const square = ((spot.u - u) ** 2 + (spot.v - v) ** 2) / width ** 2;
        if (square > 9) continue;
        const weight = Math.exp(-square / 2);
        weights += weight;
        sum += weight * spot.value;
      }
      values[row * size + column] = weights > 0 ? sum / weights : NaN;
    }
  }
  return values;
}

function isBright(colour) {
  const [red, green, blue] = colour.match(/\d+/g).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}
