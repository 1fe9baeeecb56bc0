// A figure: two canvases, for marks and for what hovering adds, under an SVG for text and axes.

import { select } from "d3-selection";

let figures = 0;

export function figure(parent, label) {
  const node = select(parent).append("div").attr("class", "figure");
  const canvases = [0, 1].map(() => node.append("canvas").node());
  const svg = node.append("svg").attr("role", "img").attr("aria-label", label);
  const id = `flow-clip-${++figures}`;
  const clip = svg.append("clipPath").attr("id", id).append("rect");
  const made = {
    node: node.node(),
    svg,
    width: 0,
    height: 0,
    /** Set the size, in CSS pixels. */
    resize(width, height) {
      made.width = width;
      made.height = height;
      node.style("height", `${height}px`);
      svg.attr("width", width).attr("height", height);
      const dots = window.devicePixelRatio || 1;
      for (const canvas of canvases) {
        canvas.width = Math.round(width * dots);
        canvas.height = Math.round(height * dots);
      }
    },
    /** A cleared context, in CSS pixels. */
    marks: () => cleared(canvases[0], made),
    over: () => cleared(canvases[1], made),
    /** A part of the SVG that shows nothing left and right of the plot. */
    clipped: (name, plot) => {
      clip.attr("x", plot.left).attr("width", plot.width).attr("height", made.height);
      return made.layer(name).attr("clip-path", `url(#${id})`);
    },
    /** The part of the SVG of this name, made where it is missing. */
    layer(name) {
      const found = svg.select(`g.${name}`);
      return found.empty() ? svg.append("g").attr("class", name) : found;
    },
  };
  return made;
}

function cleared(canvas, { width, height }) {
  const context = canvas.getContext("2d");
  const dots = window.devicePixelRatio || 1;
  context.setTransform(dots, 0, 0, dots, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Draw within a rectangle only. */
export function within(context, { left, top, width, height }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  draw();
  context.restore();
}
