// The search as it went: the best metric of each trial in the order of their starts, and the best
// value so far.

import { scaleLinear } from "d3-scale";
import { painter, tone } from "./colours.js";
import { padded } from "./curves.js";
import { drawMark, Figure, highlightPoints, nearestPoint } from "./figure.js";
import { bestSoFar, bounds, withoutOutliers } from "./statistics.js";
import { count } from "./text.js";

const NEAR = 18;
const EDGE = 8;
const BAND = 20;

export function makeHistory(app) {
  const note = document.getElementById("history-note");
  const figure = new Figure(
    document.getElementById("history-figure"),
    { top: 12, right: 14, bottom: 46, left: 68 },
    () => draw(last),
  );
  const order = historyOrder(app.trials);
  let last = [];
  let points = [];
  let paint = null;
  figure.points(app, (x, y) => nearestPoint(app, points, x, y, NEAR));

  function draw(trials) {
    last = trials;
    points = [];
    note.textContent = "";
    const matching = new Set(trials);
    const shown = order.filter(({ trial }) => matching.has(trial));
    if (!shown.length) {
      figure.empty(trials.length ? "no matching trial has started" : app.nothing());
      return;
    }
    const over = app.state.history === "time" ? "time" : "number";
    const values = shown.map(({ trial }) => (trial.counted ? trial.best : null));
    const known = values.filter((value) => value !== null);
    const { range, cut } = app.state.outliers
      ? { range: bounds(known), cut: false }
      : withoutOutliers(known, app.data.mode);
    const context = figure.begin(
      `Best ${app.data.metric} of ${count(shown.length, "trial")} in the order in which they ${over === "time" ? "ended" : "started"}.`,
    );
    // Over time a trial counts from its end on.
    const ordered = over === "time" ? [...shown].sort((a, b) => a.end - b.end) : shown;
    const placeOf = (one) => (over === "time" ? one.end : one.number);
    const x = scaleLinear(padded(bounds(ordered.map(placeOf)), false), [0, figure.width]);
    const isMin = app.data.mode === "min";
    // What has no value that counts stands beyond all values, at the bad end.
    const y = scaleLinear(padded(range ?? [0, 1], false), [
      figure.height - (isMin ? 0 : BAND),
      isMin ? BAND : 0,
    ]);
    const xTitle =
      over === "time"
        ? "minutes from the sweep's first report to the trial's last"
        : "trial, in the order of first reports";
    figure.axes({ x, y, xTitle, yTitle: `best ${app.data.metric}` });
    paint = painter(app, trials).colourOf;
    const edge = isMin ? EDGE : figure.height - EDGE;
    points = ordered.map((one) => {
      const { trial } = one;
      const inside = trial.counted && range && trial.best >= range[0] && trial.best <= range[1];
      return { trial, x: x(placeOf(one)), y: inside ? y(trial.best) : edge, cross: !inside };
    });
    const paper = tone("paper");
    for (const point of points) {
      const colour = point.cross
        ? tone(point.trial.status === "finished" ? "soft" : point.trial.status)
        : paint(point.trial);
      drawMark(
        context,
        point.cross ? "×" : "",
        point.x,
        point.y,
        points.length > 300 ? 4 : 7,
        colour,
        paper,
      );
    }
    const best = bestSoFar(
      ordered.map(({ trial }) => (trial.counted ? trial.best : null)),
      app.data.mode,
    );
    context.strokeStyle = tone("accent");
    context.lineWidth = 2;
    figure.inside(context, () => {
      context.beginPath();
      let height = null;
      best.forEach((value, at) => {
        if (value === null) return;
        if (height === null) context.moveTo(points[at].x, y(value));
        else {
          context.lineTo(points[at].x, height);
          context.lineTo(points[at].x, y(value));
        }
        height = y(value);
      });
      if (height !== null) context.lineTo(figure.width, height);
      context.stroke();
    });
    note.textContent = `The line is the best value so far. ${cut ? "The worst twentieth of the trials stands at the edge. " : ""}${points.some((one) => one.cross) ? "A cross at the edge is a trial without a value that counts." : ""}`;
    highlight();
  }

  function highlight() {
    if (points.length) highlightPoints(app, figure, points, paint);
  }

  return { draw, highlight };
}

/** The trials that reported, by their first report: number from 1, and minutes until the last. */
export function historyOrder(trials) {
  const started = trials.filter((trial) => trial.start > 0).sort((a, b) => a.start - b.start);
  return started.map((trial, at) => ({
    trial,
    number: at + 1,
    end: (trial.end - started[0].start) / 60,
  }));
}
