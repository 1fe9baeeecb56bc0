// The table of trials: sorted by any column, each row with its command and its details.

const COLUMNS = [
  { key: "rank", head: "#", value: trial => trial.place + 1 },
  ...(DATA.several ? [{ key: "sweep", head: "sweep", value: trial => trial.sweep, text: true }] : []),
  { key: "status", head: "status", value: trial => trial.status, order: trial => DATA.statuses.indexOf(trial.status), text: true },
  ...DIFFERING.map(place => ({
    key: `axis:${AXES[place].key}`, head: AXES[place].name, value: trial => trial.settings[place],
    order: trial => { const at = AXES[place].labels.indexOf(trial.settings[place]); return at < 0 ? null : at; },
  })),
  { key: "best", head: `best ${DATA.metric}`, value: trial => trial.best, format: short },
  { key: "at", head: "at step", value: trial => trial.at },
  ...DATA.objectives.map((tag, place) => ({
    key: `objective:${tag}`, head: tag, value: trial => trial.others[place] ?? null, format: value => short(value),
  })),
  ...(DATA.objectives.length ? [{
    key: "pareto", head: "Pareto", value: trial => trial.front ? "front" : "", order: trial => trial.front ? 0 : 1, text: true,
  }] : []),
  { key: "last", head: "last", value: trial => trial.last[state.tag] ?? null, format: value => short(value, 5) },
  { key: "step", head: "step", value: trial => trial.step },
  { key: "seconds", head: "seconds", value: trial => trial.seconds, format: value => value.toFixed(1) },
];
const rowOf = new Map();
let lastColumn;

function makeTable() {
  const cells = COLUMNS.map(column => {
    const button = element("button", { type: "button" }, ...breakable(column.head));
    button.addEventListener("click", () => sortBy(column));
    const cell = element("th", { scope: "col", className: column.text ? "left" : "" }, button);
    column.cell = cell;
    if (column.key === "last") lastColumn = { column, button };
    return cell;
  });
  const plainHead = text => element("th", { scope: "col", className: "left" }, element("span", { textContent: text }));
  document.getElementById("table").append(
    element("thead", {}, element("tr", {}, cells[0], plainHead("run"), ...cells.slice(1), plainHead("command"))), element("tbody"));
}

function sortBy(column) {
  const current = state.sort === column.key || (!state.sort && column.key === "rank");
  state.order = current && state.order !== "down" ? "down" : "";
  state.sort = column.key === "rank" ? "" : column.key;
  update(["table"]);
}

function sorted(trials) {
  const column = COLUMNS.find(other => other.key === state.sort);
  const sign = state.order === "down" ? -1 : 1;
  if (!column) return sign > 0 ? trials : [...trials].reverse();
  const key = column.order || column.value;
  const compare = (a, b) => typeof a === "string" ? a.localeCompare(b) : a - b;
  // Missing values come last either way.
  return [...trials].sort((a, b) => {
    const [one, other] = [key(a), key(b)];
    if (one === null || other === null) return (one === null) - (other === null);
    return sign * compare(one, other);
  });
}

function drawTable(trials) {
  lastColumn.button.replaceChildren(...breakable(`last ${state.tag}`));
  for (const column of COLUMNS) {
    const current = state.sort === column.key || (!state.sort && column.key === "rank");
    if (current) column.cell.setAttribute("aria-sort", state.order === "down" ? "descending" : "ascending");
    else column.cell.removeAttribute("aria-sort");
  }
  const body = document.querySelector("#table tbody");
  body.replaceChildren(...sorted(trials).flatMap(trial => {
    if (!rowOf.has(trial.place)) rowOf.set(trial.place, makeRow(trial));
    const row = rowOf.get(trial.place);
    row.last.textContent = lastColumn.column.format(lastColumn.column.value(trial));
    return row.details ? [row.row, row.details] : [row.row];
  }));
  document.getElementById("table-note").textContent = trials.length
    ? "Ranked by status first: a trial that did not finish never stands above one that did. Click a run for its folder, error and command."
    : "No run matches the filter.";
}

function makeRow(trial) {
  const made = { row: element("tr"), details: null, last: null };
  const id = element("button", { type: "button", className: "id", textContent: trial.id || "show", title: trial.name });
  id.setAttribute("aria-expanded", "false");
  id.addEventListener("click", () => toggleDetails(trial, made, id));
  for (const column of COLUMNS) {
    const cell = element("td", { className: column.text ? "left" : "" });
    const value = column.value(trial);
    if (column.key === "status") cell.append(statusLabel(value));
    else cell.textContent = value === null ? "" : column.format ? column.format(value) : value;
    if (column.key === "last") made.last = cell;
    made.row.append(cell);
    if (column.key === "rank") made.row.append(element("td", { className: "left" }, id));
  }
  const copying = copyButton(trial.command);
  copying.setAttribute("aria-label", `Copy the command of ${trial.name}`);
  made.row.append(element("td", { className: "left" }, copying));
  return made;
}

function toggleDetails(trial, made, button) {
  if (made.details) {
    made.details.remove();
    made.details = null;
  } else {
    const facts = [["run", trial.name], ["folder", trial.directory], ["again alone", trial.command]];
    if (trial.error) facts.push(["error", trial.error]);
    if (trial.total) facts.push(["steps", `${trial.step} of ${trial.total}`]);
    const list = element("dl", {}, ...facts.flatMap(([term, text]) => [element("dt", { textContent: term }), element("dd", { textContent: text })]));
    made.details = element("tr", {}, element("td", { className: "details", colSpan: COLUMNS.length + 2 }, list));
    made.row.after(made.details);
  }
  button.setAttribute("aria-expanded", String(Boolean(made.details)));
}

function copyButton(text) {
  const button = element("button", { type: "button", className: "copy", textContent: "copy", title: text });
  button.addEventListener("click", async () => {
    const done = await copied(text);
    button.textContent = done ? "copied" : "not allowed";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {  // without permission: the older way
    const area = element("textarea", { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
