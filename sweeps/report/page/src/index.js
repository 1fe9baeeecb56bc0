// The page: the data, the state, one selection through all views, and the controls.

import { readAddress, readList, writeAddress } from "./address.js";
import { onThemeChange } from "./colours.js";
import { makeCurves } from "./curves.js";
import { makeDimensions } from "./dimensions.js";
import { fill, statusLabel, element } from "./elements.js";
import { Tip } from "./figure.js";
import { replicateGroups } from "./groups.js";
import { makeHistory } from "./history.js";
import { makeKept } from "./kept.js";
import { drawImportance, makeReplicates } from "./means.js";
import { makeOptions } from "./options.js";
import { makePairs } from "./pairs.js";
import { makeParallel } from "./parallel.js";
import { filtered, inRanges } from "./selection.js";
import { makeTable } from "./table.js";
import { count, shorten } from "./text.js";

const data = JSON.parse(document.getElementById("data").textContent);
const { axes, trials } = data;

/** What the controls change, and which views that changes. */
const SELECTS = {
  tag: ["curves", "table"],
  x: ["curves"],
  colour: ["curves", "options", "history"],
  option: ["options"],
  history: ["history"],
  across: ["pairs"],
  down: ["pairs"],
};
const CHECKS = {
  log: ["curves"],
  band: ["curves"],
  outliers: ["curves", "options", "history"],
};

const unique = new Set(trials.map((trial) => trial.id)).size === trials.length;
trials.forEach((trial, place) => {
  trial.place = place;
  trial.counted = data.counted.includes(trial.status) && trial.best !== null;
  trial.address = unique && trial.id ? trial.id : trial.name.replaceAll(",", ";");
  const { start, clocks } = data.curves[place];
  trial.start = start;
  trial.end = start + Math.max(0, ...clocks.map((clock) => clock.seconds.at(-1)));
});

const differing = axes
  .map((_, place) => place)
  .filter((place) => new Set(trials.map((trial) => trial.settings[place])).size > 1);
const replicate = replicateAxis();
const defaults = {
  filter: "",
  hide: "",
  brush: "",
  keep: "",
  tag: data.tags.includes(data.metric) ? data.metric : data.tags[0] || "",
  x: "step",
  colour: "best",
  log: "",
  band: "",
  outliers: "",
  option: "",
  history: "number",
  ...firstPair(),
  axes: "",
  sort: "",
  order: "",
  columns: "",
};

const app = {
  data,
  trials,
  axes,
  differing,
  replicate,
  grouping: { differing, replicate, mode: data.mode },
  /** Name of the range that each label of an option is in. */
  rangeOf: axes.map(
    (axis) =>
      new Map(axis.ranges.flatMap(([name, labels]) => labels.map((label) => [label, name]))),
  ),
  dimensions: makeDimensions({
    trials,
    axes,
    differing,
    statuses: data.statuses,
    metric: data.metric,
  }),
  state: { ...defaults },
  kept: new Set(),
  hovered: null,
  tip: new Tip(),
  modeOf: (tag) => (tag === data.metric ? data.mode : (data.modes[tag] ?? "min")),
  isLit: (trial) => lit.has(trial.place) || app.kept.has(trial.place),
  /** Why nothing is drawn. */
  nothing() {
    if (!trials.length) return "the sweep has no trial yet";
    return "no run matches";
  },
  set(changes, which) {
    Object.assign(app.state, changes);
    showState();
    update(which);
  },
  /** Point at a trial, or at several, in all views. */
  hover(trial, all = trial ? [trial] : []) {
    if (app.hovered === trial && lit.size === all.length) return;
    app.hovered = trial;
    lit = new Set(all.map((one) => one.place));
    highlightAll();
  },
  toggleKept(trial) {
    if (!app.kept.delete(trial.place)) app.kept.add(trial.place);
    keptChanged();
  },
  keepNone() {
    app.kept.clear();
    keptChanged();
  },
};
let lit = new Set();
let views = {};
let waiting = 0;

function highlightAll() {
  // Once a frame, for a pointer tells more often where it is.
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    for (const view of Object.values(views)) view.highlight?.();
  });
}

function keptChanged() {
  app.state.keep = [...app.kept].map((place) => trials[place].address).join(",");
  for (const view of Object.values(views)) {
    view.keptChanged?.();
    view.highlight?.();
  }
  document.getElementById("keeping").textContent = app.kept.size ? `${app.kept.size} kept` : "";
  keepAddress();
}

function keepAddress() {
  const text = writeAddress(app.state, defaults);
  try {
    history.replaceState(null, "", text ? `#${text}` : location.href.split("#")[0]);
  } catch {
    // In a sandbox, such as a notebook's frame, the address cannot be changed.
  }
}

function update(which = Object.keys(views)) {
  const found = filtered(trials, app.state);
  const positions = new Map(app.dimensions.map((dimension) => [dimension.key, dimension.placeOf]));
  const matching = inRanges(
    found ?? [],
    app.state.brush,
    (key, trial) => positions.get(key)?.(trial) ?? null,
  );
  tellMatches(found, matching);
  for (const name of which) {
    if (name === "parallel") views.parallel.draw({ filtered: found ?? [], matching });
    else views[name].draw(matching);
  }
  keepAddress();
}

function tellMatches(found, matching) {
  const field = document.getElementById("filter");
  const matches = document.getElementById("matches");
  field.setAttribute("aria-invalid", String(found === null));
  matches.classList.toggle("invalid", found === null);
  matches.textContent =
    found === null
      ? "not a regular expression"
      : `${matching.length} of ${count(trials.length, "run")}`;
  document.getElementById("reset").hidden = !(
    app.state.filter ||
    app.state.brush ||
    app.state.hide
  );
  const hidden = new Set(readList(app.state.hide));
  const numbers = new Map();
  for (const trial of hidden.size
    ? [...matching, ...trials.filter((one) => hidden.has(one.status))]
    : matching) {
    numbers.set(trial.status, (numbers.get(trial.status) ?? 0) + 1);
  }
  for (const button of document.querySelectorAll("#statuses button")) {
    const { status } = button.dataset;
    button.querySelector("b").textContent = found === null ? "-" : (numbers.get(status) ?? 0);
    button.setAttribute("aria-pressed", String(!hidden.has(status)));
  }
}

function makeControls() {
  const names = axes.map((axis) => [axis.key, axis.name]);
  const options = app.dimensions.filter((one) => !["metric", "status"].includes(one.key));
  fill(
    byId("tag"),
    data.tags.map((tag) => [tag, tag]),
  );
  fill(byId("colour"), [
    ["best", `best ${data.metric}`],
    ...(data.several ? [["sweep", "sweep"]] : []),
    ...names,
  ]);
  fill(byId("option"), [["", "all"], ...options.map((one) => [one.key, one.name])]);
  for (const id of ["across", "down"])
    fill(
      byId(id),
      options.map((one) => [one.key, one.name]),
    );
  for (const [id, which] of Object.entries(SELECTS)) {
    byId(id).addEventListener("change", (event) => app.set({ [id]: event.target.value }, which));
  }
  for (const [id, which] of Object.entries(CHECKS)) {
    byId(id).addEventListener("change", (event) =>
      app.set({ [id]: event.target.checked ? "1" : "" }, which),
    );
  }
  byId("band").parentElement.hidden = replicate < 0;
  if (replicate >= 0) byId("band-name").textContent = `mean over ${axes[replicate].name}`;
  let typing;
  byId("filter").addEventListener("input", (event) => {
    app.state.filter = event.target.value;
    clearTimeout(typing);
    typing = setTimeout(update, 150);
  });
  byId("reset").addEventListener("click", () => {
    app.set({ filter: "", brush: "", hide: "" });
    byId("filter").focus();
  });
  const there = data.statuses.filter((status) => trials.some((trial) => trial.status === status));
  byId("statuses").replaceChildren(...there.map(statusButton));
}

function statusButton(status) {
  const button = element("button", {
    type: "button",
    "data-status": status,
    title: `show or hide ${status} trials`,
  });
  const label = statusLabel(status);
  label.prepend(element("b"), " ");
  button.append(label);
  button.addEventListener("click", () => {
    const hidden = new Set(readList(app.state.hide));
    if (!hidden.delete(status)) hidden.add(status);
    app.set({ hide: [...hidden].join(",") });
  });
  return button;
}

/** Place of the option whose values repeat settings; -1 where no setting is repeated. */
function replicateAxis() {
  const place = axes.findIndex((axis) => axis.key === data.replicate);
  const groups = replicateGroups(trials, { differing, replicate: place, mode: data.mode });
  return groups.some((group) => group.trials.length > 1) ? place : -1;
}

function byId(id) {
  return document.getElementById(id);
}

/** The controls as the state has them; what the address got wrong falls back. */
function showState() {
  for (const id of Object.keys(SELECTS)) {
    const select = byId(id);
    if (![...select.options].some((option) => option.value === app.state[id]))
      app.state[id] = defaults[id];
    select.value = app.state[id];
  }
  for (const id of Object.keys(CHECKS)) byId(id).checked = Boolean(app.state[id]);
  if (byId("filter").value !== app.state.filter) byId("filter").value = app.state.filter;
}

/** The two most important options. */
function firstPair() {
  const important = data.importance.shares.map(([key]) => key);
  const every = differing.map((place) => axes[place].key);
  const isSetting = (key) => key !== data.replicate;
  const order = [
    ...new Set([...important.filter(isSetting), ...every.filter(isSetting), ...every]),
  ];
  return { across: order[0] ?? "", down: order[1] ?? "" };
}

function readState() {
  Object.assign(app.state, readAddress(location.hash, defaults));
  const known = new Map(trials.map((trial) => [trial.address, trial.place]));
  const kept = readList(app.state.keep).map((address) => known.get(address));
  app.kept = new Set(kept.filter((place) => place !== undefined));
}

function headline() {
  const best = data.mode === "min" ? "lowest" : "highest";
  const names = differing.map((place) => axes[place].name).join(", ");
  const same = axes
    .filter((_, place) => !differing.includes(place))
    .map((axis) => `${axis.name}=${shorten(axis.labels[0] ?? "")}`)
    .join(", ");
  const facts = [
    `${count(trials.length, "trial")} by ${data.metric}, ${best} best`,
    names && `options: ${names}`,
    trials.length && same && `the same in all: ${same}`,
  ];
  return facts.filter(Boolean).join("; ");
}

/** Beside a running sweep the file is written again and again, and the page follows it. */
function followFile() {
  if (!data.live) return;
  byId("live").hidden = false;
  byId("live").textContent =
    `follows the running sweep, read at ${new Date(data.written * 1000).toLocaleTimeString()}`;
  const scrolled = sessionStorage.getItem("scrolled");
  if (scrolled) scrollTo(0, Number(scrolled));
  const again = () => {
    const isBusy =
      document.hidden ||
      ["INPUT", "SELECT"].includes(document.activeElement?.tagName) ||
      document.querySelector("details[open]");
    if (isBusy) {
      setTimeout(again, 1000);
      return;
    }
    sessionStorage.setItem("scrolled", String(scrollY));
    location.reload();
  };
  setTimeout(again, 1000 * data.live);
}

function start() {
  byId("headline").textContent = headline();
  byId("chance").textContent = app.data.chance;
  makeControls();
  readState();
  showState();
  views = {
    curves: makeCurves(app),
    table: makeTable(app),
    kept: makeKept(app),
    replicates: makeReplicates(app),
    options: makeOptions(app),
    parallel: makeParallel(app),
    history: makeHistory(app),
    pairs: makePairs(app),
  };
  drawImportance(app);
  update();
  keptChanged();
  onThemeChange(() => update());
  addEventListener("hashchange", () => {
    readState();
    showState();
    update();
    keptChanged();
  });
  followFile();
}

start();
