// The horizon of one loss, projected below the text: how much of it arrives at each earlier step,
// as a part of its peak, with a line where it counts as vanished.

import { reach, SHARE } from "./flow.js";
import { within } from "./figure.js";

const DECADES = 4; // of a logarithmic strip

export function drawStrip(context, scene, t) {
  const { place, grid, K, farthest, colours } = scene;
  const { peak, steps } = reach(grid, t);
  within(
    context,
    { ...place.strip, top: place.strip.top - 12, height: place.strip.height + 14 },
    () => {
      for (let k = 0; k < Math.min(K, t + 1); k++) {
        const deep = depth(scene, grid.at(t, k) / peak) * place.strip.height;
        context.fillStyle = colours.shade(k, farthest);
        context.globalAlpha = k < steps ? 1 : 0.55;
        context.fillRect(
          place.x(t - k),
          place.strip.top,
          place.step - (place.step > 5 ? 1 : 0),
          deep,
        );
      }
      context.globalAlpha = 1;
      drawBracket(context, scene, t, steps);
    },
  );
  drawThreshold(context, scene);
}

/** 0..1: how deep a share of the peak hangs. */
export function depth({ kind }, share) {
  if (!(share > 0)) return 0;
  return kind === "log" ? Math.max(0, 1 + Math.log10(share) / DECADES) : share;
}

function drawBracket(context, { place, colours }, t, steps) {
  const [from, to] = [place.x(t - steps + 1), place.x(t + 1)];
  const y = place.strip.top - 5;
  context.strokeStyle = colours.mark;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(from, y + 4);
  context.lineTo(from, y);
  context.lineTo(to, y);
  context.lineTo(to, y + 4);
  context.stroke();
}

function drawThreshold(context, scene) {
  const { place, colours } = scene;
  const y = Math.round(place.strip.top + depth(scene, SHARE) * place.strip.height) + 0.5;
  context.strokeStyle = colours.soft;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(place.plot.left, y);
  context.lineTo(place.plot.left + place.plot.width, y);
  context.stroke();
  context.setLineDash([]);
}
