// The units with most gradient: a row each, a column for each step that gradient arrives at.

import { within } from "./figure.js";

export const MOST_UNITS = 16;

export function rowOf({ place, units }, py) {
  const at = Math.floor(((py - place.plot.top) / place.plot.height) * MOST_UNITS);
  return at >= 0 && at < units.length ? at : null;
}

export function drawUnits(context, { place, units, T, kind, colours }) {
  const most = Math.max(...units.map(({ arriving }) => Math.max(...arriving))) || 1;
  const tall = place.plot.height / MOST_UNITS;
  within(context, place.plot, () => {
    units.forEach(({ arriving }, row) => {
      for (let j = 0; j < T; j++) {
        const part = arriving[j] / most;
        const share = kind === "log" ? 1 + Math.log10(Math.max(part, 1e-4)) / 4 : part;
        context.fillStyle = colours.heatOf(share);
        context.fillRect(place.x(j), place.plot.top + row * tall, place.step - 0.5, tall - 1);
      }
    });
  });
}

export function nameUnits(layer, { place, units }, { percent }) {
  const tall = place.plot.height / MOST_UNITS;
  layer
    .selectAll("text")
    .data(units)
    .join("text")
    .attr("x", place.plot.left - 6)
    .attr("y", (_, row) => place.plot.top + (row + 0.5) * tall)
    .attr("dy", "0.35em")
    .attr("text-anchor", "end")
    .text(({ unit, share }) => `${unit} · ${percent(share)}`);
}
