// Scales of values, linear or logarithmic, and their axes.

import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleLog } from "d3-scale";
import { number } from "./words.js";

/** Powers of ten that a logarithmic scale shows below the highest value, at most. */
export const DECADES = 9;

/** Values low..high -> pixels; what is below a logarithmic scale lies on its floor. */
export function valueScale(kind, { low, high }, range) {
  if (kind !== "log")
    return scaleLinear()
      .domain([0, high || 1])
      .range(range)
      .nice(4);
  const floor = Math.max(low, high * 10 ** -DECADES);
  const lowest = floor < high ? floor / 1.5 : high / 10;
  return scaleLog().domain([lowest, high]).range(range).clamp(true);
}

export function drawLeft(layer, scale, x, ticks = 4, format = (value) => number(value, 2)) {
  const axis = axisLeft(scale).tickSizeOuter(0);
  if (scale.base) axis.tickValues(powers(scale.domain())).tickFormat((value) => number(value, 2));
  else axis.ticks(ticks).tickFormat(format);
  layer.attr("transform", `translate(${x},0)`).call(axis);
}

export function drawBottom(layer, scale, y, ticks, format) {
  const axis = axisBottom(scale).ticks(ticks).tickSizeOuter(0);
  layer.attr("transform", `translate(0,${y})`).call(format ? axis.tickFormat(format) : axis);
}

/** Powers of ten within a domain, at most five; with 2 and 5 times them where they are few. */
function powers([low, high]) {
  const [from, to] = [Math.floor(Math.log10(low)), Math.floor(Math.log10(high))];
  const factors = to - from < 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil((to - from) / 5));
  const found = [];
  for (let power = to; power >= from; power -= every) {
    for (const factor of factors) found.push(factor * 10 ** power);
  }
  return found.filter((value) => value >= low && value <= high);
}
