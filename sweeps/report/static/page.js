// Ties the controls to the views. Every view gets the matching trials, in rank.

const VIEWS = {
  curves: drawCurves, table: drawTable, replicates: drawReplicates,
  parallel: drawParallel, heatmap: drawHeatmap, marginals: drawMarginals,
};
const SELECTORS = { tag: ["curves", "table"], x: ["curves"], colour: ["curves"], across: ["heatmap"], down: ["heatmap"] };

function update(views = Object.keys(VIEWS)) {
  const trials = matching(state.filter);
  const field = document.getElementById("filter"), matches = document.getElementById("matches");
  field.setAttribute("aria-invalid", String(trials === null));
  matches.classList.toggle("invalid", trials === null);
  matches.textContent = trials === null ? "not a regular expression" : `${trials.length} of ${count(DATA.trials.length, "run")}`;
  drawStatuses(trials || []);
  for (const view of views) VIEWS[view](trials || []);
  writeAddress();
}

function drawStatuses(trials) {
  const there = DATA.statuses.filter(status => DATA.trials.some(trial => trial.status === status));
  document.getElementById("statuses").replaceChildren(...there.map(status => {
    const label = statusLabel(status);
    label.prepend(`${trials.filter(trial => trial.status === status).length} `);
    return label;
  }));
}

function makeControls() {
  const axes = AXES.map(axis => [axis.key, axis.name]);
  fill("tag", DATA.tags.map(tag => [tag, tag]));
  fill("colour", [["best", `best ${DATA.metric}`], ...(DATA.several ? [["sweep", "sweep"]] : []), ...axes]);
  const differing = DIFFERING.map(place => axes[place]);
  fill("across", differing);
  fill("down", differing);
  for (const [id, views] of Object.entries(SELECTORS)) {
    document.getElementById(id).addEventListener("change", event => {
      state[id] = event.target.value;
      update(views);
    });
  }
  document.getElementById("log").addEventListener("change", event => {
    state.log = event.target.checked ? "1" : "";
    update(["curves"]);
  });
  let waiting;
  document.getElementById("filter").addEventListener("input", event => {
    state.filter = event.target.value;
    clearTimeout(waiting);
    waiting = setTimeout(update, 150);
  });
}

function fill(id, options) {
  document.getElementById(id).append(...options.map(([value, text]) => element("option", { value, textContent: text })));
}

// The controls as the state has them; what the address got wrong falls back.
function showState() {
  for (const id of Object.keys(SELECTORS)) {
    const select = document.getElementById(id);
    if (![...select.options].some(option => option.value === state[id])) state[id] = DEFAULTS[id];
    select.value = state[id];
  }
  document.getElementById("log").checked = Boolean(state.log);
  document.getElementById("filter").value = state.filter;
}

// The heat map opens with the two most important axes.
function chooseAxes() {
  const important = DATA.importance.shares.map(([key]) => key).filter(key => key !== DATA.replicate);
  const differing = DIFFERING.map(place => AXES[place].key).filter(key => key !== DATA.replicate);
  const order = [...new Set([...important, ...differing, ...DIFFERING.map(place => AXES[place].key)])];
  DEFAULTS.across = order[0] || "";
  DEFAULTS.down = order[1] || "";
}

function start() {
  const best = DATA.mode === "min" ? "lowest" : "highest";
  const names = DIFFERING.map(place => AXES[place].name).join(", ");
  const same = AXES.filter((_, place) => !DIFFERING.includes(place)).map(axis => `${axis.name}=${axis.labels[0] ?? ""}`).join(", ");
  const facts = [`${count(DATA.trials.length, "trial")} by ${DATA.metric}, ${best} best`, names && `axes: ${names}`, DATA.trials.length && same && `the same in all: ${same}`];
  document.getElementById("headline").textContent = facts.filter(Boolean).join("; ");
  makeControls();
  makeTable();
  makeMarginals();
  chooseAxes();
  readAddress();
  showState();
  drawImportance();
  update();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => update());
  addEventListener("hashchange", () => { readAddress(); showState(); update(); });
}

start();
