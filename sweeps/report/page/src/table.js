// The table of trials: sorted by any column, columns to choose, each row with its details.

import { readList } from "./address.js";
import { save, toCsv } from "./csv.js";
import { breakable, copyButton, element, statusLabel } from "./elements.js";
import { short, shorten, shortLabels } from "./text.js";

const MOST_ROWS = 200;
const LABEL_LETTERS = 28;

export function makeTable(app) {
  const { data, axes, differing } = app;
  const table = document.getElementById("table");
  const head = element("thead");
  const body = element("tbody");
  const note = document.getElementById("table-note");
  const more = element("button", { type: "button", className: "plain" });
  table.append(head, body);
  table.parentElement.after(more);
  const rows = new Map();
  const open = new Set();
  let last = [];
  let most = MOST_ROWS;

  const columns = [
    { key: "rank", head: "#", value: (trial) => trial.place + 1 },
    ...(data.several
      ? [{ key: "sweep", head: "sweep", value: (trial) => trial.sweep, left: true }]
      : []),
    {
      key: "status",
      head: "status",
      value: (trial) => trial.status,
      order: (trial) => data.statuses.indexOf(trial.status),
      left: true,
    },
    ...differing.map((place) => ({
      key: `axis:${axes[place].key}`,
      head: axes[place].name,
      value: (trial) => trial.settings[place],
      format: shortLabel(place),
      order: (trial) => orNull(axes[place].labels.indexOf(trial.settings[place])),
    })),
    { key: "best", head: `best ${data.metric}`, value: (trial) => trial.best, format: short },
    { key: "at", head: "at step", value: (trial) => trial.at },
    ...data.objectives.map((tag, place) => ({
      key: `objective:${tag}`,
      head: tag,
      value: (trial) => trial.others[place] ?? null,
      format: short,
    })),
    ...(data.objectives.length
      ? [
          {
            key: "pareto",
            head: "Pareto",
            value: (trial) => (trial.front ? "front" : ""),
            order: (trial) => (trial.front ? 0 : 1),
            left: true,
          },
        ]
      : []),
    ...data.tags.map((tag) => ({
      key: `last:${tag}`,
      head: `last ${tag}`,
      value: (trial) => trial.last[tag] ?? null,
      format: (value) => short(value, 5),
      more: true,
    })),
    { key: "step", head: "step", value: (trial) => trial.step, more: true },
    {
      key: "seconds",
      head: "seconds",
      value: (trial) => trial.seconds,
      format: (value) => value.toFixed(1),
    },
    {
      key: "labels",
      head: "tags",
      value: (trial) => trial.labels.join(" "),
      left: true,
      more: !app.trials.some((trial) => trial.labels.length),
    },
  ];

  /** Labels of an option in short. */
  function shortLabel(place) {
    const short = shortLabels(axes[place].labels, LABEL_LETTERS);
    return (label) => short.get(label) ?? label;
  }

  makeChooser();
  document.getElementById("csv").addEventListener("click", saveCsv);
  more.addEventListener("click", () => {
    most += 1000;
    draw(last);
  });
  body.addEventListener("pointerover", (event) => app.hover(trialOf(event.target)));
  body.addEventListener("pointerleave", () => app.hover(null));
  body.addEventListener("focusin", (event) => app.hover(trialOf(event.target)));
  body.addEventListener("focusout", () => app.hover(null));

  function trialOf(target) {
    const row = target.closest("tr[data-place]");
    return row ? app.trials[Number(row.dataset.place)] : null;
  }

  /** The columns that are shown: those of a first visit, but for what the address changes. */
  function shownColumns() {
    const changed = new Set(readList(app.state.columns));
    return columns.filter((one) => {
      const isDefault = !one.more || one.key === `last:${app.state.tag}`;
      return isDefault !== changed.has(one.key);
    });
  }

  function makeChooser() {
    const box = document.getElementById("columns");
    const boxes = columns.slice(1).map((column) => {
      const input = element("input", { type: "checkbox" });
      input.addEventListener("change", () => {
        const changed = new Set(readList(app.state.columns));
        if (!changed.delete(column.key)) changed.add(column.key);
        app.set({ columns: [...changed].join(",") }, ["table"]);
      });
      column.box = input;
      return element("label", {}, input, ` ${column.head}`);
    });
    box.append(...boxes);
  }

  function sortBy(column) {
    const { sort, order } = app.state;
    const current = sort === column.key || (!sort && column.key === "rank");
    app.set(
      {
        order: current && order !== "down" ? "down" : "",
        sort: column.key === "rank" ? "" : column.key,
      },
      ["table"],
    );
    head.querySelector(`[data-key="${CSS.escape(column.key)}"] button`)?.focus();
  }

  function sorted(trials) {
    const column = columns.find((one) => one.key === app.state.sort);
    const sign = app.state.order === "down" ? -1 : 1;
    if (!column) return sign > 0 ? trials : [...trials].reverse();
    const key = column.order || column.value;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    // Missing values come last either way.
    return [...trials].sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      if (one === null || other === null) return (one === null) - (other === null);
      return sign * compare(one, other);
    });
  }

  function draw(trials) {
    last = trials;
    const shown = shownColumns();
    for (const column of columns) if (column.box) column.box.checked = shown.includes(column);
    head.replaceChildren(headRow(shown));
    const all = sorted(trials);
    rows.clear();
    body.replaceChildren(
      ...all.slice(0, most).flatMap((trial) => {
        const row = makeRow(trial, shown);
        rows.set(trial.place, row);
        return open.has(trial.place) ? [row, detailsRow(trial, shown)] : [row];
      }),
    );
    more.hidden = all.length <= most;
    more.textContent = `show ${Math.min(1000, all.length - most)} more of ${all.length} rows`;
    note.textContent = trials.length
      ? "Ranked by status first: a trial that did not finish never stands above one that did. Click a run for its folder, error and command; tick runs to keep them in all figures."
      : app.nothing();
    highlight();
  }

  function headRow(shown) {
    const cells = shown.map((column) => {
      const button = element("button", { type: "button" }, ...breakable(column.head));
      button.addEventListener("click", () => sortBy(column));
      const cell = element(
        "th",
        { scope: "col", className: column.left ? "left" : "", "data-key": column.key },
        button,
      );
      const { sort, order } = app.state;
      if (sort === column.key || (!sort && column.key === "rank")) {
        cell.setAttribute("aria-sort", order === "down" ? "descending" : "ascending");
      }
      return cell;
    });
    const plain = (text) =>
      element("th", { scope: "col", className: "left" }, element("span", { textContent: text }));
    return element(
      "tr",
      {},
      plain("keep"),
      cells[0],
      plain("run"),
      ...cells.slice(1),
      plain("command"),
    );
  }

  function makeRow(trial, shown) {
    const row = element("tr", { "data-place": String(trial.place) });
    const keep = element("input", {
      type: "checkbox",
      checked: app.kept.has(trial.place),
      "aria-label": `Keep ${trial.name}`,
    });
    keep.addEventListener("change", () => app.toggleKept(trial));
    row.append(element("td", { className: "left" }, keep));
    for (const column of shown) {
      row.append(valueCell(trial, column));
      if (column.key === "rank")
        row.append(element("td", { className: "left" }, idButton(trial, row, shown)));
    }
    row.append(
      element(
        "td",
        { className: "left" },
        copyButton(trial.command, `Copy the command of ${trial.name}`),
      ),
    );
    return row;
  }

  function valueCell(trial, column) {
    const cell = element("td", { className: column.left ? "left" : "" });
    const value = column.value(trial);
    if (column.key === "status") cell.append(statusLabel(value));
    else {
      const text = value === null ? "" : String(column.format ? column.format(value) : value);
      cell.textContent = shorten(text, LABEL_LETTERS);
      if (cell.textContent !== String(value ?? "") && typeof value === "string") cell.title = value;
    }
    return cell;
  }

  function idButton(trial, row, shown) {
    const button = element("button", {
      type: "button",
      className: "small id",
      textContent: trial.id || "show",
      title: trial.name,
    });
    button.setAttribute("aria-expanded", String(open.has(trial.place)));
    button.addEventListener("click", () => {
      if (open.delete(trial.place)) row.nextElementSibling.remove();
      else {
        open.add(trial.place);
        row.after(detailsRow(trial, shown));
      }
      button.setAttribute("aria-expanded", String(open.has(trial.place)));
    });
    return button;
  }

  function detailsRow(trial, shown) {
    const facts = [
      ["run", trial.name],
      ["folder", trial.directory],
      ["again alone", trial.command],
    ];
    if (trial.error) facts.unshift(["error", trial.error]);
    if (trial.total) facts.push(["steps", `${trial.step} of ${trial.total}`]);
    const list = element(
      "dl",
      {},
      ...facts.flatMap(([term, text]) => [
        element("dt", { textContent: term }),
        element("dd", { textContent: text }),
      ]),
    );
    return element(
      "tr",
      {},
      element("td", { className: "details", colSpan: shown.length + 3 }, list),
    );
  }

  function highlight() {
    for (const [place, row] of rows) {
      const isKept = app.kept.has(place);
      row.classList.toggle("kept", isKept);
      row.classList.toggle("hovered", app.hovered?.place === place);
      row.firstChild.firstChild.checked = isKept;
    }
  }

  function saveCsv() {
    const shown = shownColumns();
    const heads = ["run", ...shown.map((column) => column.head), "command"];
    const cells = sorted(last).map((trial) => [
      trial.name,
      ...shown.map((column) => column.value(trial)),
      trial.command,
    ]);
    save(`${data.title.replace(/[^\w.-]+/g, "_")}.csv`, toCsv(heads, cells));
  }

  // Where all trials failed, what a reader looks for is the reason of the first.
  if (app.trials.length && app.trials.every((trial) => trial.status === "failed")) open.add(0);
  return { draw, highlight };
}

function orNull(place) {
  return place < 0 ? null : place;
}
