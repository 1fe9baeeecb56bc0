// The trials that are kept, side by side: the options in which they differ, and their values.

import { copyButton, element, statusLabel } from "./elements.js";
import { count, named, short, shorten } from "./text.js";

const MOST_COLUMNS = 6;

export function makeKept(app) {
  const section = document.getElementById("kept-section");
  const table = document.getElementById("kept");
  const note = document.getElementById("kept-note");
  const clear = document.getElementById("kept-clear");
  clear.addEventListener("click", () => app.keepNone());

  function draw() {
    const trials = [...app.kept].map((place) => app.trials[place]);
    section.hidden = !trials.length;
    if (!trials.length) return;
    const shown = trials.slice(0, MOST_COLUMNS);
    const withDifference = shown.length === 2;
    const cell = (text, attributes = {}) => element("td", attributes, text);
    const row = (name, cells, difference = "") =>
      element(
        "tr",
        {},
        element("th", { scope: "row", className: "left" }, name),
        ...cells,
        ...(withDifference ? [cell(difference)] : []),
      );
    const heads = shown.map((trial) => element("th", { scope: "col" }, dropButton(trial)));
    const rows = [
      row(
        "rank",
        shown.map((trial) => cell(String(trial.place + 1))),
      ),
      row(
        "status",
        shown.map((trial) => element("td", {}, statusLabel(trial.status))),
      ),
      ...optionRows(shown, row, cell),
      numberRow(`best ${app.data.metric}`, (trial) => trial.best, 6),
      numberRow("at step", (trial) => trial.at, 6),
      ...app.data.tags.map((tag) =>
        numberRow(`last ${tag}`, (trial) => trial.last[tag] ?? null, 5),
      ),
      numberRow("seconds", (trial) => trial.seconds, 4),
      row(
        "command",
        shown.map((trial) =>
          element("td", {}, copyButton(trial.command, `Copy the command of ${trial.name}`)),
        ),
      ),
    ];
    const head = element(
      "tr",
      {},
      element("td"),
      ...heads,
      ...(withDifference
        ? [element("th", { scope: "col" }, element("span", { textContent: "difference" }))]
        : []),
    );
    table.replaceChildren(
      element("thead", {}, head),
      element("tbody", {}, ...rows.filter(Boolean)),
    );
    const same = sameText(shown);
    const hidden = trials.length - shown.length;
    note.textContent = [
      withDifference ? "The difference is the second less the first." : "",
      same && shown.length > 1 ? `The same in all: ${same}.` : "",
      hidden > 0
        ? `${count(hidden, "kept trial")} more ${hidden === 1 ? "is" : "are"} lit in the figures.`
        : "",
    ]
      .filter(Boolean)
      .join(" ");

    function numberRow(name, valueOf, digits) {
      const values = shown.map(valueOf);
      if (values.every((value) => value === null || value === undefined)) return null;
      const known = withDifference && values.every((value) => Number.isFinite(value));
      const difference = known ? values[1] - values[0] : null;
      const text = difference === null ? "" : `${difference > 0 ? "+" : ""}${short(difference, 3)}`;
      return row(
        name,
        values.map((value) => cell(short(value, digits))),
        text,
      );
    }
  }

  function dropButton(trial) {
    const button = element("button", {
      type: "button",
      className: "small id",
      textContent: `${trial.id} ✕`,
      title: trial.name,
      "aria-label": `Let go of ${trial.name}`,
    });
    button.addEventListener("click", () => app.toggleKept(trial));
    return element("span", {}, button);
  }

  function optionRows(shown, row, cell) {
    const rows = app.differing
      .filter(
        (place) =>
          shown.length === 1 || new Set(shown.map((trial) => trial.settings[place])).size > 1,
      )
      .map((place) =>
        row(
          app.axes[place].name,
          shown.map((trial) => labelCell(trial.settings[place])),
        ),
      );
    // Sweeps may differ in options that neither of them sweeps over.
    const sweeps = [...new Set(shown.map((trial) => trial.sweep))];
    const rest =
      sweeps.length < 2
        ? []
        : Object.entries(app.data.differences)
            .filter(
              ([, values]) =>
                new Set(sweeps.map((sweep) => values[app.data.sweeps.indexOf(sweep)])).size > 1,
            )
            .map(([key, values]) =>
              row(
                key,
                shown.map((trial) => labelCell(values[app.data.sweeps.indexOf(trial.sweep)])),
              ),
            );
    return [...rows, ...rest];

    function labelCell(label) {
      const text = named(label);
      return cell(shorten(text, 40), {
        className: "option",
        ...(text.length > 40 ? { title: text } : {}),
      });
    }
  }

  function sameText(shown) {
    return app.differing
      .filter((place) => new Set(shown.map((trial) => trial.settings[place])).size === 1)
      .map((place) => `${app.axes[place].name}=${shorten(named(shown[0].settings[place]))}`)
      .join(", ");
  }

  return { draw, keptChanged: draw };
}
