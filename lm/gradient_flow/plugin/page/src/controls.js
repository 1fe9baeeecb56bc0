// The bar above the views: which trials, which part of them, and how it is drawn.

import { select } from "d3-selection";
import { join, layersOf, partName, shortName, split } from "./parts.js";

/** Name -> what it is called, its definition, and the number of that in docs/gradient_flow.md. */
const MEASURES = {
  norm: ["norm", "the length of G, what the loss at one step adds to the gradient of W at another", 1],
  mean_abs: ["mean size", "the sizes of the entries of G, averaged over all units", 2],
  mean: [
    "mean, as in the paper",
    "the entries of G averaged over all units, of which the size is drawn; entries may cancel",
    3,
  ],
  input_norm: ["input norm", "the length of what the same step adds to the gradient of the input weights", 4],
};
const CURVES = [
  ["max", "largest"],
  ["sum", "sum"],
  ["horizon", "horizon"],
];
const VIEWS = [
  ["bars", "Bars"],
  ["heat", "Heat map"],
  ["units", "Units"],
];
const SCALES = [
  ["linear", "Linear"],
  ["log", "Log"],
];

export function controls(parent, change) {
  const bar = select(parent).append("div").attr("class", "controls");
  const trials = bar.append("div").attr("class", "row");
  const looks = bar.append("div").attr("class", "row");
  let same = false;
  const run = chooser(trials, "Trial", "a", (value) =>
    change({ run: value, loss: "", ...(same ? { with: value, other: "" } : {}) }),
  );
  const other = chooser(trials, "Compare with", "b", (value) => change({ with: value }));
  const swap = trials.append("button").attr("type", "button").attr("class", "swap");
  swap.attr("title", "swap the two trials").text("⇄");
  const filter = trials.append("label").attr("class", "filter");
  filter.append("span").text("Filter");
  const box = filter
    .append("input")
    .attr("type", "search")
    .attr("placeholder", "regular expression")
    .attr("spellcheck", "false")
    .on("input", (event) => change({ filter: event.target.value }));
  const matches = trials.append("span").attr("class", "matches");
  const layer = choice(looks, "Layer", "layer");
  const part = choice(looks, "Way", "way");
  const view = choice(looks, "View", "view");
  const scale = choice(looks, "Scale", "scale");
  const scales = choice(looks, "Axes", "scales");
  const measure = chooser(looks, "Measure", "", (value) => change({ measure: value }));
  const item = choice(looks, "Sequence", "item");
  const definition = bar.append("p").attr("class", "definition");
  const found = (given) => {
    bar.property("hidden", !given.all);
    if (box.node() !== document.activeElement) box.property("value", given.filter);
    box.attr("aria-invalid", given.valid ? null : "true");
    matches.text(given.valid ? matched(given) : "no regular expression");
  };
  return {
    found,
    /** given: {shorts, run, with, state, components, component, measures, measure, view, items, item, valid} */
    show(given) {
      const { state } = given;
      run([...given.shorts], given.run);
      same = given.same;
      const others = [...given.shorts].filter(([name]) => name !== given.run);
      const nothing = ["", "nothing"];
      other([nothing, [given.run, "another batch of this trial"], ...others], given.with);
      swap
        .property("hidden", !given.with)
        .attr("title", same ? "swap the two batches" : "swap the two trials")
        .on("click", () =>
          change(
            same
              ? { step: String(given.steps.b), other: String(given.steps.a) }
              : { run: given.with, with: given.run },
          ),
        );
      const layers = layersOf(given.components);
      const [mine, state1] = split(given.component);
      const parts = layers.find((one) => one.layer === mine)?.parts ?? [];
      layer(
        layers.map((one) => [one.layer, one.layer.replace(/^layer_/, "")]),
        mine,
        (name) => {
          const there = layers.find((one) => one.layer === name).parts;
          change({ part: join(name, there.includes(state1) ? state1 : there[0]) });
        },
      );
      part(
        parts.map((name) => [name, shortName(name), partName(name)]),
        state1,
        (name) => change({ part: join(mine, name) }),
      );
      view(VIEWS, given.view, (name) => change({ view: name, zoom: "" }));
      scale(SCALES, state.scale, (name) => change({ scale: name }));
      scales(
        given.with
          ? [
              ["shared", "shared"],
              ["own", "own"],
            ]
          : [],
        state.scales,
        (name) => change({ scales: name }),
      );
      measure(
        given.measures.map((name) => [name, MEASURES[name]?.[0] ?? name]),
        given.measure,
      );
      const [name, meaning, number] = MEASURES[given.measure] ?? [given.measure, ""];
      const from = `(equation ${number} of docs/gradient_flow.md)`;
      definition.text(meaning && `${name[0].toUpperCase()}${name.slice(1)}: ${meaning} ${from}.`);
      const items = Array.from({ length: given.items }, (_, at) => [String(at), String(at + 1)]);
      item(items.length > 1 ? items : [], String(given.item), (name) => change({ item: name }));
    },
  };
}

function matched({ names, all, filter }) {
  return filter ? `${names.length} of ${all} trials` : "";
}

/** The heading of the overview, with what it draws. */
export function curveChoice(parent, change) {
  const shown = choice(select(parent), "", "curve");
  return (value) => shown(CURVES, value, (name) => change({ curve: name }));
}

/** Which of two batches of one trial is selected in the overview; hidden where there is one. */
export function sideChoice(parent, change) {
  const shown = choice(select(parent), "Select the", "side");
  const sides = [
    ["a", "left"],
    ["b", "right"],
  ];
  return (same, active) => shown(same ? sides : [], active, change);
}

/** A list to choose from; shown(options, value). */
function chooser(parent, title, side, change) {
  const label = parent.append("label").attr("class", `chooser ${side}`);
  label.append("span").text(title);
  const list = label.append("select").on("change", (event) => change(event.target.value));
  return (options, value) => {
    label.property("hidden", options.length === 0);
    list
      .selectAll("option")
      .data(options, ([name]) => name)
      .join("option")
      .attr("value", ([name]) => name)
      .text(([, text]) => text)
      .order();
    list.property("value", value).attr("title", value);
  };
}

/** Buttons of which one is on; shown(options, value, change), hidden without options. */
function choice(parent, title, name) {
  const group = parent.append("div").attr("class", `choice ${name}`).attr("role", "group");
  group.attr("aria-label", title || name);
  if (title) group.append("span").text(title);
  return (options, value, change) => {
    group.property("hidden", options.length === 0);
    group
      .selectAll("button")
      .data(options, ([key]) => key)
      .join("button")
      .attr("type", "button")
      .attr("title", ([, , hint]) => hint ?? null)
      .attr("aria-pressed", ([key]) => String(key === value))
      .text(([, text]) => text)
      .on("click", (_, [key]) => change(key));
  };
}
