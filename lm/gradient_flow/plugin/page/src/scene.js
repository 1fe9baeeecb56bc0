// All that a trial's figure shows of one batch, ready to be drawn.

import { valueScale } from "./axes.js";
import { busiest, Grid, groups, stack, summarise } from "./flow.js";
import { picture } from "./heat.js";
import { layout } from "./layout.js";
import { once } from "./once.js";
import { closest } from "./parts.js";
import { MOST_UNITS } from "./units.js";

/** Longer sequences start as a heat map. */
export const MOST_BARS = 120;

/** What one batch holds of one of its components, of a measure, and of a sequence. */
export function contents(batch, components, { part, measure, item }) {
  const there = components.filter((name) => name in batch.records);
  const component = closest(there.length ? there : Object.keys(batch.records), part);
  const record = batch.records[component];
  const names = Object.keys(record.measures);
  const name = names.includes(measure) ? measure : names[0];
  const at = Math.min(Number(item), record.items - 1);
  const values = record.measures[name][at];
  const grid = new Grid(record.T, record.K, values);
  const sums = once(values, "sums", () => summarise(grid));
  return {
    component,
    measure: name,
    record,
    item: at,
    grid,
    sums,
    labels: batch.labels,
  };
}

export function chosenView(view, T) {
  return view || (T > MOST_BARS ? "heat" : "bars");
}

/** The highest value that the view draws, and the lowest positive one. */
export function rangeOf({ grid, sums }, view) {
  const values = view === "bars" ? sums.arriving : grid.values;
  let [low, high] = [Infinity, 0];
  for (const value of values) {
    if (value > 0 && value < low) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return { low: Math.min(low, high), high };
}

/** Contents -> scene: with places, scales, groups or pictures, as the view needs them. */
export function sceneOf(held, { view, kind, range, farthest, width, zoom, colours }) {
  const { T, K, units } = held.record;
  const scene = { ...held, T, K, kind, farthest, colours, view };
  const tokens = ["inputs", "targets", "predictions"].flatMap((row) => held.labels[row][held.item]);
  scene.place = layout({ width, T, view, zoom, tokens });
  const { top, height } = scene.place.plot;
  if (view === "bars") {
    scene.parts = groups(K);
    scene.stacked = once(held.grid.values, "stack", () => stack(held.grid, scene.parts));
    scene.scale = valueScale(kind, range, [top + height, top]);
  } else if (view === "heat") {
    const look = `picture ${kind} ${range.low} ${range.high} ${colours.dark}`;
    const make = () => picture(held.grid, range, kind, colours);
    scene.image = range.high > 0 ? once(held.grid.values, look, make) : null;
  } else {
    const perUnit = held.record.perUnit?.[held.item];
    scene.units = perUnit
      ? once(perUnit, "units", () => busiest({ T, K, units }, perUnit, MOST_UNITS))
      : null;
  }
  return scene;
}
