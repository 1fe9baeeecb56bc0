// Which trials and batches are shown, and their loading.

import { shortNames } from "./names.js";
import { nearest } from "./series.js";
import { matcher } from "./state.js";

const VERSION = 1;
export const SIDES = ["a", "b"];

/** Which trials are shown, of those that the filter leaves. */
export function chosen(app) {
  const all = Object.keys(app.runs);
  const matches = matcher(app.state.filter);
  const names = matches ? all.filter(matches) : all;
  const run = names.includes(app.state.run) ? app.state.run : (names[0] ?? "");
  const other = names.includes(app.state.with) ? app.state.with : "";
  const shorts = shortNames(names);
  const same = run !== "" && other === run;
  return { all: all.length, names, shorts, run, with: other, same, valid: Boolean(matches) };
}

/** Which side the overview and the keys choose the batch of. */
export function activeSide(app) {
  return app.chosen?.same ? app.active : "a";
}

/** Update step of the batch that a side is to show, what is previewed left out. */
export function selectedStep(app, side) {
  if (side === "a" || !app.chosen.same) return chosenStep(app);
  return app.state.other === "" ? 0 : Number(app.state.other);
}

function shownStep(app, side) {
  const previewed = app.preview !== null && (!app.chosen.same || side === activeSide(app));
  return previewed ? app.preview : selectedStep(app, side);
}

export async function load(app, run, name) {
  const { about, last } = app.runs[run];
  const side = { run, about, course: null, batch: null, step: null, place: -1, error: "" };
  try {
    if (about.v !== VERSION) throw new Error(unreadable(about.v));
    side.course = await app.source.overview(run, last);
    side.step = kept(side, shownStep(app, name));
    side.place = side.course.steps.indexOf(side.step);
    side.batch = await app.source.batch(run, side.step);
  } catch (error) {
    side.error = error.message;
  }
  return side;
}

/** Infinity: the newest. */
export function chosenStep({ state }) {
  return state.step === "" ? Infinity : Number(state.step);
}

/** The step of a trial's recorded batch that is nearest to a step. */
export function kept({ course }, step) {
  const there = course.kept ?? course.steps;
  return there[step === Infinity ? there.length - 1 : nearest(there, step)];
}

function unreadable(version) {
  return version === undefined
    ? "These records say nothing of themselves that can be read."
    : `These records are of version ${version}, and this page reads version ${VERSION}; update lm-sweeps.`;
}

/** Have the neighbours at hand: the next key press shows them at once. */
export function ahead(app) {
  for (const side of SIDES) {
    const one = app.sides[side];
    if (!one?.batch || app.preview !== null) continue;
    const there = one.course.kept ?? one.course.steps;
    const at = there.indexOf(one.step);
    for (const step of [there[at - 1], there[at + 1]]) {
      if (step !== undefined) app.source.batch(one.run, step).catch(() => {});
    }
  }
}
