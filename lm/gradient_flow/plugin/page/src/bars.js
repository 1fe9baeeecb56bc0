// A stacked bar per step: what arrives there, split by how far away its loss is, local first.
// On a logarithmic scale the whole bar's height is logarithmic, and its parts are shares of it.

import { within } from "./figure.js";
import { visible } from "./layout.js";

/** Parts of the bar at step j, from below: [{place, top, height}], in pixels. */
export function segments({ stacked, parts, sums, scale, kind }, j) {
  const total = sums.arriving[j];
  const [floor, top] = [scale.range()[0], total > 0 ? scale(total) : scale.range()[0]];
  const found = [];
  let below = 0;
  for (let place = 0; place < parts.length; place++) {
    const value = stacked[j * parts.length + place];
    if (!(value > 0)) continue;
    const at = (sum) => (kind === "log" ? floor + ((top - floor) * sum) / total : scale(sum));
    const [bottom, upper] = [at(below), at(below + value)];
    found.push({ place, top: upper, height: bottom - upper });
    below += value;
  }
  return found;
}

export function drawBars(context, scene) {
  const { place, parts, farthest, T, colours } = scene;
  const shades = parts.map(([from]) => colours.shade(from, farthest));
  const gap = place.step > 5 ? 1 : 0;
  within(context, place.plot, () => {
    for (let [j, to] = visible(place, T); j < to; j++) {
      for (const part of segments(scene, j)) {
        context.fillStyle = shades[part.place];
        context.fillRect(place.x(j), part.top, place.step - gap, part.height);
        // A hair between parts, so that they can be told apart where shades are close.
        if (part.height > 4) context.clearRect(place.x(j), part.top, place.step - gap, 0.5);
      }
    }
  });
}

/** What came from the loss at step t stays bright, all else fades. */
export function liftLoss(context, scene, t) {
  const { place, parts, K, farthest, colours } = scene;
  within(context, place.plot, () => {
    context.fillStyle = colours.dim;
    context.fillRect(place.plot.left, place.plot.top, place.plot.width, place.plot.height);
    for (let j = Math.max(0, t - K + 1); j <= t; j++) {
      const part = segments(scene, j).find(({ place: at }) => holds(parts[at], t - j));
      if (!part) continue;
      context.fillStyle = colours.shade(parts[part.place][0], farthest);
      const height = Math.max(1, part.height);
      context.fillRect(place.x(j), part.top + part.height - height, place.step - 1, height);
      if (place.step > 6 && height > 3) {
        context.strokeStyle = colours.mark;
        context.strokeRect(place.x(j) + 0.5, part.top + 0.5, place.step - 2, height - 1);
      }
    }
  });
}

/** Step of the loss that the pointer is on, within the bar at step j. */
export function lossIn(scene, j, py) {
  const found = segments(scene, j);
  const part = found.find(({ top, height }) => py >= top && py <= top + height);
  // Above the bar: its own loss, which is what a person who points at a step asks for.
  return part ? Math.min(scene.T - 1, j + scene.parts[part.place][0]) : j;
}

function holds([from, to], k) {
  return k >= from && k < to;
}
