// Learning curves: one metric of every matching trial over step, relative time or wall time.

import { bisector } from "d3-array";
import { scaleLinear, scaleLog, scaleTime } from "d3-scale";
import { bestIs, MARKS, painter, tone } from "./colours.js";
import { element } from "./elements.js";
import { drawMark, Figure, tellTrial } from "./figure.js";
import { band, replicateGroups } from "./groups.js";
import { bounds, mean, withoutOutliers } from "./statistics.js";
import { count, short } from "./text.js";

const NEAR = 40;
const MOST_AT_FULL_STRENGTH = 40;
const TITLES = { step: "step", relative: "seconds since the first report", wall: "wall time" };

export function makeCurves(app) {
  const place = document.getElementById("curves");
  const note = document.getElementById("curves-note");
  const legend = document.getElementById("curves-legend");
  const back = document.getElementById("curves-back");
  const figure = new Figure(place, { top: 12, right: 24, bottom: 46, left: 68 }, () => draw(last));
  let last = [];
  let shown = [];
  let scales = null;
  let zoom = null;
  let zoomed = "";
  figure.points(app, nearest);
  back.addEventListener("click", () => zoomTo(null));
  makeZoom();

  function zoomTo(range) {
    zoom = range;
    draw(last);
  }

  function draw(trials) {
    last = trials;
    const { state } = app;
    const tag = app.data.tags.indexOf(state.tag);
    // A zoom is of one pair of axes.
    const axes = [state.tag, state.x, state.log].join();
    if (axes !== zoomed) zoom = null;
    zoomed = axes;
    back.hidden = !zoom;
    shown = seriesOf(app, trials, tag, state.log);
    legend.replaceChildren();
    note.textContent = "";
    if (!shown.length) {
      const none = trials.length
        ? `no matching run reported ${state.tag || "a metric"}`
        : app.nothing();
      scales = null;
      figure.empty(none);
      return;
    }
    const { colourOf, legend: names } = painter(app, trials);
    for (const one of shown) one.colour = colourOf(one.trials[0]);
    legend.replaceChildren(...names.map(([name, colour]) => legendItem(name, colour)));
    const values = shown.flatMap((one) => one.y.filter((value) => value !== null));
    const { range, cut } = state.outliers
      ? { range: bounds(values), cut: false }
      : withoutOutliers(values, app.modeOf(state.tag));
    const label = `Learning curves of ${state.tag} of ${count(trials.length, "trial")}; values from ${short(bounds(values)[0], 4)} to ${short(bounds(values)[1], 4)}.`;
    const context = figure.begin(label);
    const x = state.x === "wall" ? scaleTime() : scaleLinear();
    x.domain(zoom?.x ?? widened(bounds(shown.flatMap((one) => one.x))));
    const y = state.log ? scaleLog() : scaleLinear();
    y.domain(zoom?.y ?? padded(range, state.log));
    scales = { x: x.range([0, figure.width]), y: y.range([figure.height, 0]) };
    figure.axes({
      ...scales,
      xTitle: TITLES[state.x],
      yTitle: state.tag,
      yFormat: state.log ? "~g" : undefined,
    });
    figure.inside(context, () => {
      // The best ones are drawn last, above the others.
      for (const one of [...shown].reverse()) paint(context, one, false);
    });
    note.textContent = noteText(trials, cut);
    highlight();
  }

  function paint(context, one, strong) {
    const { x, y } = scales;
    const paper = tone("paper");
    context.globalAlpha = strong || shown.length <= MOST_AT_FULL_STRENGTH ? 1 : 0.55;
    context.strokeStyle = context.fillStyle = one.colour;
    if (one.band && one.trials.length > 1) {
      context.save();
      context.globalAlpha = strong ? 0.3 : 0.14;
      context.beginPath();
      one.band.forEach((point, at) => context[at ? "lineTo" : "moveTo"](x(point.x), y(point.high)));
      [...one.band].reverse().forEach((point) => context.lineTo(x(point.x), y(point.low)));
      context.closePath();
      context.fill();
      context.restore();
    }
    const mark = one.band ? undefined : MARKS[one.trials[0].status];
    context.lineWidth = strong ? 3 : 1.6;
    context.lineJoin = "round";
    context.setLineDash(mark?.dash ?? []);
    context.beginPath();
    let open = false;
    let points = 0;
    one.y.forEach((value, at) => {
      if (value === null) {
        open = false;
        return;
      }
      context[open ? "lineTo" : "moveTo"](x(one.x[at]), y(value));
      open = true;
      points += 1;
    });
    context.stroke();
    context.setLineDash([]);
    const end = one.y.findLastIndex((value) => value !== null);
    if (points === 1 && !mark)
      drawMark(context, "", x(one.x[end]), y(one.y[end]), 6, one.colour, paper);
    if (mark && end >= 0) {
      // A curve may leave the figure at the top: its mark stays in sight.
      const height = Math.min(Math.max(y(one.y[end]), 5), figure.height - 5);
      drawMark(context, mark.mark, x(one.x[end]), height, strong ? 11 : 8, one.colour, paper);
    }
    context.globalAlpha = 1;
  }

  function highlight() {
    if (!scales || !shown.length) return;
    const lit = shown.filter((one) => one.trials.some((trial) => app.isLit(trial)));
    const context = figure.overlay(lit.length > 0);
    figure.inside(context, () => {
      for (const one of lit) paint(context, one, true);
    });
  }

  function nearest(px, py) {
    if (!scales) return null;
    const at = Number(scales.x.invert(px));
    let found = null;
    for (const one of shown) {
      const place = closestPoint(one, at);
      if (place < 0) continue;
      const dx = scales.x(one.x[place]) - px;
      const gap = Math.abs(heightAt(one, at) - py) + Math.max(0, Math.abs(dx) - NEAR);
      if (gap < NEAR && (!found || gap < found.gap)) found = { gap, one, place };
    }
    if (!found) return null;
    const { one, place } = found;
    const where =
      app.state.x === "wall"
        ? new Date(one.x[place]).toLocaleTimeString()
        : `${app.state.x === "step" ? "step " : ""}${short(one.x[place])}${app.state.x === "relative" ? " s" : ""}`;
    const first = `${short(one.y[place])} at ${where}`;
    const spread =
      one.band && one.trials.length > 1
        ? `, from ${short(one.band[place].low)} to ${short(one.band[place].high)} over ${one.trials.length}`
        : "";
    return { trial: one.trials[0], words: tellTrial(app, one.trials[0], first + spread) };
  }

  function heightAt(one, at) {
    const right = bisector((value) => value).left(one.x, at);
    const [a, b] = [Math.max(0, right - 1), Math.min(one.x.length - 1, right)];
    const [low, high] = [one.y[a], one.y[b]];
    if (low === null || high === null) return scales.y(low ?? high ?? 0);
    const share = one.x[b] > one.x[a] ? (at - one.x[a]) / (one.x[b] - one.x[a]) : 0;
    const height =
      scales.y(low) + (scales.y(high) - scales.y(low)) * Math.min(1, Math.max(0, share));
    return Math.min(Math.max(height, 0), figure.height);
  }

  /** Dragging a rectangle shows that part alone, a double click shows all again. */
  function makeZoom() {
    const box = element("div", { className: "zoombox", hidden: true });
    place.append(box);
    let from = null;
    place.addEventListener("pointerdown", (event) => {
      from = event.button === 0 && event.pointerType === "mouse" ? figure.pointerAt(event) : null;
    });
    place.addEventListener("pointermove", (event) => {
      const to = from && event.buttons & 1 ? figure.pointerAt(event) : null;
      box.hidden = !to || Math.hypot(to.x - from.x, to.y - from.y) < 6;
      if (box.hidden) return;
      const { left, top } = figure.margin;
      box.style.left = `${left + Math.min(from.x, to.x)}px`;
      box.style.top = `${top + Math.min(from.y, to.y)}px`;
      box.style.width = `${Math.abs(to.x - from.x)}px`;
      box.style.height = `${Math.abs(to.y - from.y)}px`;
    });
    addEventListener("pointerup", (event) => {
      const to = from && !box.hidden && scales ? figure.pointerAt(event) : null;
      box.hidden = true;
      if (to) {
        const sort = (a, b, scale) =>
          [a, b].sort((p, q) => p - q).map((value) => scale.invert(value));
        zoomTo({ x: sort(from.x, to.x, scales.x), y: sort(to.y, from.y, scales.y).reverse() });
        // The click that ends a drag keeps no trial.
        addEventListener("click", (click) => click.stopPropagation(), {
          capture: true,
          once: true,
        });
        setTimeout(() => dispatchEvent(new Event("click")), 0);
      }
      from = null;
    });
    place.addEventListener("dblclick", () => zoomTo(null));
  }

  function noteText(trials, cut) {
    const { state, data } = app;
    const words = [];
    if (state.colour === "best") {
      words.push(
        `Coloured by rank among finished and stopped trials: ${bestIs()} is best, grey is not ranked.`,
      );
    }
    if (app.replicate >= 0 && state.band) {
      words.push(
        `Lines are means over ${app.axes[app.replicate].name}, bands reach from the lowest to the highest.`,
      );
    } else {
      const there = [...new Set(trials.map((trial) => trial.status))].filter((one) => MARKS[one]);
      const named = there.map((one) =>
        [MARKS[one].mark, MARKS[one].words, one].filter(Boolean).join(" "),
      );
      if (named.length) words.push(`Ends: ${named.join(", ")}.`);
    }
    if (cut)
      words.push(
        "The worst twentieth of the values is out of the figure; tick “outliers” to see it.",
      );
    if (data.longest > data.points) {
      words.push(
        `Curves have at most ${data.points} points, evenly spaced; best values are of all points.`,
      );
    }
    words.push("Drag to zoom; click a curve to keep it.");
    return words.join(" ");
  }

  return { draw, highlight };
}

/** What is drawn: a curve a trial, or the mean of each group of replicates. */
function seriesOf(app, trials, tag, positive) {
  const one = (trial) => {
    const { curves } = app.data;
    const [clock, values] = curves[trial.place].values[tag] ?? [];
    if (!values) return null;
    // A logarithmic axis has no place for zero and below.
    const y = positive ? values.map((value) => (value > 0 ? value : null)) : values;
    if (y.every((value) => value === null)) return null;
    return { trials: [trial], x: xs(app, trial, curves[trial.place].clocks[clock]), y };
  };
  if (!(app.state.band && app.replicate >= 0) || app.state.x === "wall") {
    return trials.map(one).filter(Boolean);
  }
  return replicateGroups(trials, app.grouping).flatMap((group) => {
    const curves = group.trials.map(one).filter(Boolean);
    if (!curves.length) return [];
    if (app.state.x === "relative") alignClocks(curves);
    const points = band(curves);
    if (!points.length) return [];
    const y = points.map((point) => point.mean);
    return [
      {
        trials: curves.map((curve) => curve.trials[0]),
        x: points.map((p) => p.x),
        y,
        band: points,
      },
    ];
  });
}

/** Replicates report at slightly different times: each report stands at the mean of its times. */
function alignClocks(curves) {
  const length = Math.min(...curves.map((curve) => curve.x.length));
  const times = Array.from({ length }, (_, at) => mean(curves.map((curve) => curve.x[at])));
  for (const curve of curves) {
    curve.x = times;
    curve.y = curve.y.slice(0, length);
  }
}

function xs(app, trial, clock) {
  if (app.state.x === "step") return clock.steps;
  if (app.state.x === "relative") return clock.seconds;
  const { start } = app.data.curves[trial.place];
  return clock.seconds.map((seconds) => (start + seconds) * 1000);
}

function closestPoint(one, at) {
  const right = bisector((value) => value).left(one.x, at);
  for (let gap = 0; gap <= one.x.length; gap += 1) {
    for (const place of [right - 1 - gap, right + gap]) {
      const known = one.y[place] !== null && one.y[place] !== undefined;
      const other = place === right + gap ? right - 1 - gap : right + gap;
      if (!known) continue;
      const rival = one.y[other] !== null && one.y[other] !== undefined;
      return rival && Math.abs(one.x[other] - at) < Math.abs(one.x[place] - at) ? other : place;
    }
  }
  return -1;
}

function widened([low, high]) {
  return low === high ? [low - 1, high + 1] : [low, high];
}

export function padded([low, high], log) {
  if (low === high)
    return log
      ? [low / 2, high * 2]
      : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  if (log) return [low / (high / low) ** 0.04, high * (high / low) ** 0.04];
  const room = 0.04 * (high - low);
  return [low - room, high + room];
}

function legendItem(name, colour) {
  const swatch = element("i");
  swatch.style.background = colour;
  return element("span", {}, swatch, name);
}
