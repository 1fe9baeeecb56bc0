// Where things stand in a trial's figure: the plot, the rows of tokens, the strip of one horizon,
// all above each other on one axis of steps.

export const LEFT = 72;
export const RIGHT = 30;
const TOP = 8;
const STRIP = 64;
const HEIGHTS = { bars: 204, heat: 372, units: 272 };
/** Pixels of a step below which its tokens are left out. */
const LEAST_TEXT = 8.5;
const LETTER = 6.6; // pixels of an average letter
/** Letters of a token that stands upright. */
export const MOST_LETTERS = 10;

export const WHOLE = { k: 1, x: 0, y: 0 };

/** {plot, rows, strip, height, step, x, y, stepAt, lossAt}; zoom is in parts of the plot. */
export function layout({ width, T, view, zoom, tokens }) {
  const plot = {
    left: LEFT,
    top: TOP,
    width: Math.max(60, width - LEFT - RIGHT),
    height: HEIGHTS[view],
  };
  const step = (plot.width * zoom.k) / T;
  const x = (j) => plot.left + zoom.x * plot.width + j * step;
  const tall = (plot.height * zoom.k) / T;
  const y = (t) => plot.top + zoom.y * plot.height + t * tall;
  const rows = rowsBelow(plot.top + plot.height + 6, step, tokens);
  const strip = { ...plot, top: rows.bottom + 18, height: STRIP };
  return {
    plot,
    rows,
    strip,
    step,
    tall,
    x,
    y,
    height: strip.top + strip.height + 26,
    /** Steps and losses, counted from 1, of which a pixel is in the middle. */
    stepOf: (px) => (px - x(0)) / step + 0.5,
    lossOf: (py) => (py - y(0)) / tall + 0.5,
    stepAt: (px) => clamp(Math.floor((px - x(0)) / step), T),
    lossAt: (py) => clamp(Math.floor((py - y(0)) / tall), T),
  };
}

/** Steps that can be seen, [from, to). */
export function visible({ plot, x, step }, T) {
  const from = Math.floor((plot.left - x(0)) / step);
  return [Math.max(0, from), Math.min(T, Math.ceil(from + plot.width / step) + 1)];
}

const NUMBERS = 14; // height of the row of numbers

/** Of how many steps one is numbered, so that the numbers of T steps have room. */
export function numberedEvery(step, T) {
  const room = String(T).length * LETTER + 5;
  for (let power = 1; ; power *= 10) {
    for (const factor of [1, 2, 5]) if (factor * power * step >= room) return factor * power;
  }
}

function rowsBelow(top, step, tokens) {
  const longest = Math.min(MOST_LETTERS, Math.max(1, ...tokens.map((token) => token.length)));
  const legible = step >= LEAST_TEXT;
  const turned = legible && longest * LETTER > Math.max(step, 1.2 * LETTER);
  const height = !legible ? 10 : turned ? longest * LETTER + 8 : 19;
  const names = !legible
    ? ["predicts"]
    : turned
      ? ["to come", "predicts"]
      : ["reads", "to come", "predicts"];
  const numbers = { name: "step", top, height: NUMBERS };
  const below = top + NUMBERS;
  const rows = names.map((name, place) => ({ name, top: below + place * (height + 2), height }));
  return { numbers, rows, legible, turned, top, bottom: below + names.length * (height + 2) };
}

/** A zoom that keeps the plot full. */
export function bounded({ k, x, y }) {
  const inside = (value) => Math.min(0, Math.max(1 - k, value));
  return { k, x: inside(x), y: inside(y) };
}

function clamp(place, T) {
  return Math.max(0, Math.min(T - 1, place));
}
