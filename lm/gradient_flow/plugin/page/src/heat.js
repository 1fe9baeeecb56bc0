// The heat map: a row for each loss t, a column for each step j that its gradient arrives at.

import { within } from "./figure.js";

/** The picture of a grid, a pixel a cell; made once and drawn at any zoom. */
export function picture(grid, { low, high }, kind, colours) {
  const { T, K } = grid;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = T;
  const context = canvas.getContext("2d");
  const bottom = Math.log(Math.max(low, high * 1e-6));
  const span = Math.log(high) - bottom || 1;
  const shades = Array.from({ length: 101 }, (_, share) => colours.heatOf(share / 100));
  for (let t = 0; t < T; t++) {
    for (let k = 0; k < Math.min(K, t + 1); k++) {
      const value = grid.at(t, k);
      const share = kind === "log" ? (Math.log(value) - bottom) / span : value / high;
      context.fillStyle = Number.isNaN(value)
        ? colours.wrong
        : shades[Math.round(100 * Math.max(0, Math.min(1, share)))];
      context.fillRect(t - k, t, 1, 1);
    }
  }
  return canvas;
}

export function drawHeat(context, { place, image, T }) {
  within(context, place.plot, () => {
    context.imageSmoothingEnabled = false;
    context.drawImage(image, place.x(0), place.y(0), place.step * T, place.tall * T);
  });
}

/** A frame around the row of a loss and the column of a step. */
export function frameCell(context, { place, colours, T, K }, t, j) {
  within(context, place.plot, () => {
    context.strokeStyle = colours.mark;
    context.lineWidth = 1;
    const from = Math.max(0, t - K + 1);
    context.strokeRect(place.x(from), place.y(t), (t + 1 - from) * place.step, place.tall);
    if (j === null) return;
    context.globalAlpha = 0.5;
    context.strokeRect(place.x(j), place.y(j), place.step, (T - j) * place.tall);
  });
}
