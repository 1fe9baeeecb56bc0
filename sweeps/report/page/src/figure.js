// A figure: marks on a canvas, a second canvas above it for what is pointed at, and axes in SVG.

import { axisBottom, axisLeft } from "d3-axis";
import { select } from "d3-selection";
import { tone } from "./colours.js";
import { element } from "./elements.js";
import { short, shorten } from "./text.js";

export class Figure {
  /**
   * @param {HTMLElement} place - emptied; its size is the figure's
   * @param {object} margin - `top`, `right`, `bottom`, `left` in pixels
   * @param {() => void} draw - draws it anew, after its size has changed
   * @param {string} role - "img", or "group" where parts of it can be used by keyboard
   */
  constructor(place, margin, draw, role = "img") {
    this.place = place;
    this.margin = margin;
    this.base = element("canvas");
    this.over = element("canvas");
    this.svg = select(place).append("svg");
    if (role === "img") this.svg.attr("aria-hidden", "true");
    this.message = element("p", { className: "message", hidden: true });
    place.replaceChildren(this.base, this.over, this.svg.node(), this.message);
    place.setAttribute("role", role);
    let known = "";
    new ResizeObserver(() => {
      const now = `${place.clientWidth}x${place.clientHeight}`;
      if (known && known !== now && place.clientWidth) draw();
      known = now;
    }).observe(place);
  }

  /** Start a drawing: say what the figure shows, and return the context of the lower canvas. */
  begin(label) {
    this.place.setAttribute("aria-label", label);
    this.message.hidden = true;
    this.place.classList.remove("empty");
    const { top, right, bottom, left } = this.margin;
    this.width = Math.max(40, this.place.clientWidth - left - right);
    this.height = Math.max(40, this.place.clientHeight - top - bottom);
    this.svg.attr("width", this.place.clientWidth).attr("height", this.place.clientHeight);
    this.svg.selectAll("*").remove();
    this.clear(this.over);
    return this.clear(this.base);
  }

  /** Show a sentence in place of a drawing. */
  empty(reason) {
    this.place.setAttribute("aria-label", reason);
    this.place.classList.add("empty");
    this.message.textContent = reason;
    this.message.hidden = false;
    this.svg.selectAll("*").remove();
    for (const canvas of [this.base, this.over]) canvas.width = canvas.height = 0;
  }

  /** Clear a canvas and return its context, whose origin is the corner of the inner area. */
  clear(canvas) {
    const ratio = Math.max(1, devicePixelRatio);
    canvas.width = Math.round(this.place.clientWidth * ratio);
    canvas.height = Math.round(this.place.clientHeight * ratio);
    // Drawn by the CPU: ten thousand thin lines take a GPU in software half a minute, and the CPU a
    // second.
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.setTransform(ratio, 0, 0, ratio, this.margin.left * ratio, this.margin.top * ratio);
    return context;
  }

  /** The context of the upper canvas, cleared; the lower one is faint while `dims`. */
  overlay(dims) {
    this.base.classList.toggle("dimmed", dims);
    return this.clear(this.over);
  }

  /** Clip a context to the inner area while `paint` runs. */
  inside(context, paint) {
    context.save();
    context.beginPath();
    context.rect(0, 0, this.width, this.height);
    context.clip();
    paint();
    context.restore();
  }

  /** Axes below and to the left, with their titles. */
  axes({ x, y, xTitle, yTitle, xTicks, yTicks = 6, xFormat, yFormat, xLabels }) {
    const { left, top, bottom } = this.margin;
    const below = axisBottom(x).tickSizeOuter(0).tickPadding(6);
    if (xLabels) below.tickValues(xLabels.map(([at]) => at)).tickFormat((_, i) => xLabels[i][1]);
    else {
      below.ticks(xTicks ?? Math.max(2, Math.floor(this.width / 80)), xFormat);
      if (!xFormat && !x.base) below.tickFormat(null);
    }
    const beside = axisLeft(y).ticks(yTicks, yFormat).tickSizeOuter(0).tickPadding(6);
    beside.tickSizeInner(-this.width);
    const move = (node, dx, dy) => node.attr("transform", `translate(${dx},${dy})`);
    move(this.svg.append("g").attr("class", "axis grid"), left, top).call(beside);
    const horizontal = this.svg.append("g").attr("class", "axis");
    move(horizontal, left, top + this.height).call(below);
    const turned = xLabels ? this.#fit(horizontal, xLabels) : false;
    if (xTitle) {
      const title = this.svg.append("text").attr("class", "title").text(shorten(xTitle, 40));
      title.attr("text-anchor", "middle").attr("x", left + this.width / 2);
      title.attr("y", top + this.height + (turned ? bottom - 4 : Math.min(bottom - 6, 40)));
    }
    if (yTitle) {
      const title = this.svg.append("text").attr("class", "title").text(shorten(yTitle, 40));
      title
        .attr("text-anchor", "middle")
        .attr("transform", `translate(13,${top + this.height / 2}) rotate(-90)`);
    }
  }

  /** Turn labels that are too wide; returns whether they are. */
  #fit(axis, labels) {
    const room = this.width / Math.max(1, labels.length);
    const turned = Math.max(...labels.map(([, text]) => text.length)) * 7 > room - 6;
    if (turned) {
      const texts = axis.selectAll(".tick text").attr("transform", "rotate(-35)");
      texts.attr("text-anchor", "end").attr("dy", "0.3em").attr("dx", "-0.4em");
    }
    return turned;
  }

  /** Where a pointer is in the inner area; null outside of it. */
  pointerAt(event) {
    const box = this.place.getBoundingClientRect();
    const x = event.clientX - box.left - this.margin.left;
    const y = event.clientY - box.top - this.margin.top;
    const isInside = x >= -4 && y >= -4 && x <= this.width + 4 && y <= this.height + 4;
    return isInside ? { x, y } : null;
  }

  /**
   * Point at trials: `nearest(x, y)` gives {trial, words} or null. Hovering tells all views, a
   * click keeps the trial.
   */
  points(app, nearest) {
    this.place.addEventListener("pointermove", (event) => {
      const at = event.buttons ? null : this.pointerAt(event);
      const found = at && !this.place.classList.contains("empty") ? nearest(at.x, at.y) : null;
      app.hover(found?.trial ?? null);
      app.tip.show(found, event);
    });
    this.place.addEventListener("pointerleave", () => {
      app.hover(null);
      app.tip.show(null);
    });
    this.place.addEventListener("click", (event) => {
      if (event.target.closest(".brush, .name")) return;
      const at = this.pointerAt(event);
      const found = at && nearest(at.x, at.y);
      if (found?.trial) app.toggleKept(found.trial);
    });
  }
}

/** Draw a mark of a status, centred. */
export function drawMark(context, mark, x, y, size, colour, paper) {
  context.save();
  context.translate(x, y);
  context.lineWidth = 1.5;
  context.fillStyle = colour;
  context.strokeStyle = mark === "×" || mark === "○" ? colour : paper;
  context.beginPath();
  const half = size / 2;
  if (mark === "■") context.rect(-half, -half, size, size);
  else if (mark === "×") {
    context.lineWidth = 2;
    context.moveTo(-half, -half);
    context.lineTo(half, half);
    context.moveTo(half, -half);
    context.lineTo(-half, half);
  } else if (mark === "◆") {
    context.moveTo(0, -half - 1);
    context.lineTo(half + 1, 0);
    context.lineTo(0, half + 1);
    context.lineTo(-half - 1, 0);
    context.closePath();
  } else if (mark === "▲") {
    context.moveTo(0, -half);
    context.lineTo(half, half);
    context.lineTo(-half, half);
    context.closePath();
  } else context.arc(0, 0, half, 0, 2 * Math.PI);
  if (mark !== "×" && mark !== "○") context.fill();
  context.stroke();
  context.restore();
}

/** The trial of the point that is nearest to a place, and its words; null where none is near. */
export function nearestPoint(app, points, x, y, near) {
  let found = null;
  for (const point of points) {
    const gap = Math.hypot(point.x - x, point.y - y);
    if (gap < near && (!found || gap < found.gap)) found = { gap, trial: point.trial };
  }
  if (!found) return null;
  const { trial } = found;
  const first = trial.best === null ? "no value" : `best ${app.data.metric} ${short(trial.best)}`;
  return { trial, words: tellTrial(app, trial, first) };
}

/** Draw the points of what is pointed at or kept on a figure's upper canvas. */
export function highlightPoints(app, figure, points, colourOf) {
  const lit = points.filter((point) => app.isLit(point.trial));
  const context = figure.overlay(lit.length > 0);
  for (const { trial, x, y, cross } of lit)
    drawMark(context, cross ? "×" : "", x, y, 12, colourOf(trial), tone("ink"));
}

/** What floats beside the pointer. */
export class Tip {
  constructor() {
    this.box = element("div", { className: "tip", hidden: true });
    this.box.setAttribute("aria-hidden", "true");
    document.body.append(this.box);
  }

  /** Show {words, trial}, or nothing. */
  show(found, event) {
    this.box.hidden = !found;
    if (!found) return;
    const lines = found.words.map((text) => element("div", { textContent: text }));
    if (lines.length) lines[0].className = "first";
    this.box.replaceChildren(...lines);
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const right = event.clientX + 16 + width < innerWidth;
    const x = right ? event.clientX + 16 : Math.max(4, event.clientX - 16 - width);
    const y = Math.min(Math.max(4, event.clientY - height / 2), innerHeight - height - 4);
    this.box.style.transform = `translate(${x}px,${y}px)`;
  }
}

/** Lines that say which trial it is, with a first line of one's own. */
export function tellTrial(app, trial, first) {
  const options = app.differing.map(
    (place) => `${app.axes[place].name} ${shorten(trial.settings[place] || "(none)", 40)}`,
  );
  const best = trial.best === null ? "" : `best ${app.data.metric} ${short(trial.best)}`;
  const head = `${trial.id}${app.data.several ? ` of ${trial.sweep}` : ""}, ${trial.status}`;
  return [first, head, ...options, first === best ? "" : best].filter(Boolean);
}
