// Colours by theme. Trials and right/wrong: after Okabe and Ito, which colour-blind people tell
// apart; distances: viridis, amounts: magma, of which each step is lighter than the one before.

import { interpolateMagma, interpolateViridis } from "d3-scale-chromatic";

const LIGHT = {
  ink: "#1b1f26",
  soft: "#5b6472",
  line: "#dde1e7",
  paper: "#ffffff",
  dim: "rgba(255,255,255,0.72)",
  a: "#0072b2",
  b: "#c05a00",
  right: "#007a5a",
  wrong: "#c2410c",
  mark: "#1b1f26",
  rightFill: "#d5efe6",
  wrongFill: "#fbe0d3",
  shades: [0.08, 0.95],
  heat: [1, 0.12],
};
const DARK = {
  ink: "#e7eaee",
  soft: "#a5afbd",
  line: "#3a4049",
  paper: "#23262c",
  dim: "rgba(35,38,44,0.74)",
  a: "#56b4e9",
  b: "#f0a030",
  right: "#4fd0a5",
  wrong: "#ff9a6b",
  mark: "#ffffff",
  rightFill: "#173f34",
  wrongFill: "#54291a",
  shades: [0.3, 1],
  heat: [0.1, 0.98],
};

export function coloursOf(dark) {
  const named = dark ? DARK : LIGHT;
  return {
    ...named,
    dark,
    /** Shade of a distance back, from local to far; distances are told apart best where near. */
    shade(k, farthest) {
      const part = farthest > 0 ? Math.log1p(k) / Math.log1p(farthest) : 0;
      const [from, to] = named.shades;
      return interpolateViridis(from + (to - from) * part);
    },
    /** Colour of a cell of the heat map, 0..1. */
    heatOf(share) {
      const [from, to] = named.heat;
      return interpolateMagma(from + (to - from) * share);
    },
  };
}
