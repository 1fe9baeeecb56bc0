// Colours, dashes and marks, alike in all figures, in light and dark.

export const CATEGORIES = [
  "#4477aa",
  "#ee7733",
  "#228833",
  "#cc3377",
  "#aa8800",
  "#33a0c4",
  "#8855bb",
  "#997755",
  "#777777",
  "#bb5566",
];

/** Status -> dash of its curve in pixels, and the mark at its end. Finished ones are plain. */
export const MARKS = {
  stopped: { dash: [7, 4], mark: "■", words: "dashed" },
  diverged: { dash: [2, 3], mark: "×", words: "dotted" },
  interrupted: { dash: [7, 3, 2, 3], mark: "◆", words: "dash-dotted" },
  failed: { dash: [7, 3, 2, 3], mark: "▲", words: "dash-dotted" },
  running: { dash: [], mark: "○", words: "" },
};

// From worst to best: the best stands out from the paper, dark on light or bright on dark.
const ON_LIGHT = [
  [176, 178, 60],
  [94, 180, 98],
  [33, 145, 140],
  [59, 82, 139],
  [68, 1, 84],
];
const ON_DARK = [
  [126, 87, 194],
  [84, 120, 190],
  [40, 160, 150],
  [110, 200, 100],
  [225, 220, 70],
];

let media = null;

/** What the browser says of the screen; asked once it is there. */
function screens() {
  media ??= { dark: matchMedia("(prefers-color-scheme: dark)"), print: matchMedia("print") };
  return media;
}

/** Whether the page is dark; paper never is. */
export function isDark() {
  return screens().dark.matches && !screens().print.matches;
}

export function onThemeChange(call) {
  for (const one of Object.values(screens())) one.addEventListener("change", call);
}

/** A colour of the style sheet. */
export function tone(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The colour at a share from 0, the worst, to 1. */
export function graded(share) {
  const all = isDark() ? ON_DARK : ON_LIGHT;
  const at = Math.min(Math.max(share, 0), 1) * (all.length - 1);
  const below = Math.min(Math.floor(at), all.length - 2);
  const mixed = all[below].map((part, place) =>
    Math.round(part + (all[below + 1][place] - part) * (at - below)),
  );
  return `rgb(${mixed.join(",")})`;
}

/** What the best colour is, in words. */
export function bestIs() {
  return isDark() ? "bright" : "dark";
}

/** A share from 0, the worst, to 1, of a value within bounds. */
export function shareOf(value, [low, high], mode) {
  if (high <= low) return 0.5;
  const share = (value - low) / (high - low);
  return mode === "min" ? 1 - share : share;
}

/**
 * How trials are coloured: by an option's value, by sweep, or by rank of their best value.
 *
 * Returns `colourOf(trial)` and `legend`, a list of [name, colour].
 */
export function painter(app, trials) {
  const { axes, data, rangeOf } = app;
  const by = app.state.colour;
  if (by === "sweep") {
    return byValue(trials, data.sweeps, (trial) => trial.sweep, "", false);
  }
  const place = axes.findIndex((axis) => axis.key === by);
  if (place < 0) return byRank(app);
  const names = axes[place].ranges.map(([name]) => name);
  const valueOf = (trial) => rangeOf[place].get(trial.settings[place]);
  return byValue(trials, names, valueOf, axes[place].name, axes[place].numeric && names.length > 2);
}

function byRank({ trials, data }) {
  const known = trials.filter((trial) => trial.counted).map((trial) => trial.best);
  const sorted = Float64Array.from(known).sort();
  const place = new Map();
  sorted.forEach((value, at) => {
    if (!place.has(value)) place.set(value, at);
  });
  const soft = tone("soft");
  return {
    legend: [],
    colourOf: (trial) => {
      if (trial.best === null || !trial.counted) return soft;
      const share = sorted.length > 1 ? place.get(trial.best) / (sorted.length - 1) : 0.3;
      return graded(data.mode === "min" ? 1 - share : share);
    },
  };
}

function byValue(trials, values, valueOf, name, ordered) {
  const soft = tone("soft");
  const last = Math.max(1, values.length - 1);
  const colours = values.map((_, place) =>
    ordered || values.length > CATEGORIES.length ? graded(place / last) : CATEGORIES[place],
  );
  const at = new Map(values.map((value, place) => [value, place]));
  const there = new Set(trials.map(valueOf));
  return {
    colourOf: (trial) => colours[at.get(valueOf(trial))] ?? soft,
    legend: values.flatMap((value, place) =>
      there.has(value) ? [[`${name} ${value}`.trim(), colours[place]]] : [],
    ),
  };
}
