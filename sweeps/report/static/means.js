// Importance of the axes, the marginal means of their values, and means over replicates.

function drawImportance() {
  const { shares, trials, reason, single } = DATA.importance;
  const place = document.getElementById("importance"), note = document.getElementById("importance-note");
  const name = key => AXES.find(axis => axis.key === key).name;
  if (reason) {
    place.replaceChildren(element("p", { textContent: `Not computed: ${reason}.` }));
    return;
  }
  const rest = Math.max(0, 1 - shares.reduce((sum, [, share]) => sum + share, 0));
  const list = element("dl", { className: "bars" });
  for (const [text, share, kind] of [...shares.map(([key, share]) => [name(key), share, ""]), ["interactions", rest, "rest"]]) {
    const track = element("div", { className: `track ${kind}` }, element("i"));
    track.firstChild.style.width = `${100 * share}%`;
    list.append(element("dt", { className: kind, textContent: text }), element("dd", {}, track),
      element("dd", { className: `share ${kind}`, textContent: `${(100 * share).toFixed(1)} %` }));
  }
  place.replaceChildren(list);
  const words = [`Share of the variance of best ${DATA.metric} that an axis explains by itself (fANOVA), over all ${trials} trials of this report that finished or were stopped: the filter does not change it.`];
  if (single.length) words.push(`Left out, for they have one value: ${single.map(name).join(", ")}.`);
  note.textContent = words.join(" ");
}

function drawMarginals(trials) {
  const counted = trials.filter(trial => trial.counted);
  document.getElementById("marginals-note").textContent =
    `Mean best ${DATA.metric} at each value, over all that the other axes do; bars reach one sample standard deviation to either side. ${count(counted.length, "trial")} that finished or were stopped.`;
  const all = new Map(DIFFERING.map(place => [place, valuesOf(place, counted)]));
  const ends = [...all.values()].flat().flatMap(value => [value.mean - value.deviation, value.mean + value.deviation]);
  const [low, high] = bounds(ends), room = 0.06 * (high - low) || 1;
  for (const [place, known] of all) {
    const axis = AXES[place];
    draw(`marginal-${place}`, known.length ? [{
      x: known.map(value => plain(value.name)), y: known.map(value => value.mean), type: "scatter",
      mode: axis.numeric ? "lines+markers" : "markers", line: { color: tone("soft"), width: 1 },
      marker: { color: tone("accent"), size: 9 }, customdata: known.map(value => [value.n, value.n > 1 ? short(value.deviation, 3) : "unknown"]),
      error_y: { type: "data", array: known.map(value => value.deviation), color: tone("accent"), thickness: 1.2, width: 4 },
      hovertemplate: "<b>%{y:.6~g}</b> at %{x}<br>deviation %{customdata[1]}<br>trials %{customdata[0]}<extra></extra>",
    }] : [], layout({
      margin: { l: 50, r: 12, t: 8, b: 40 }, yaxis: { nticks: 6, range: [low - room, high + room] },
      xaxis: { type: "category", title: { text: plain(axis.name) }, showgrid: false, range: [-0.5, known.length - 0.5] },
    }), trials.length ? "no matching trial counts" : undefined);
  }
}

// Mean, deviation (0 where it is unknown) and number of trials at each value of an axis that has any.
function valuesOf(place, counted) {
  return AXES[place].ranges.flatMap(([name]) => {
    const best = counted.filter(trial => RANGE_OF[place].get(trial.settings[place]) === name).map(trial => trial.best);
    return best.length ? [{ name, mean: mean(best), deviation: deviation(best) ?? 0, n: best.length }] : [];
  });
}

function makeMarginals() {
  const place = document.getElementById("marginals");
  for (const axis of DIFFERING) place.append(element("div", { id: `marginal-${axis}`, className: "figure" }));
  document.getElementById("marginals-section").hidden = !DIFFERING.length;
}

// Trials of equal settings but for the replicate axis: as sweeps/analysis/replicates.py has it.
function replicateGroups(trials, replicate) {
  const groups = new Map();
  for (const trial of trials) {
    const rest = DIFFERING.filter(place => place !== replicate).map(place => trial.settings[place]);
    const key = JSON.stringify([trial.sweep, ...rest]);
    if (!groups.has(key)) groups.set(key, { sweep: trial.sweep, settings: rest, values: [], trials: 0 });
    groups.get(key).trials += 1;
    if (trial.status === "finished" && trial.best !== null) groups.get(key).values.push(trial.best);
  }
  const place = group => [group.values.length ? 0 : 1, group.values.length < group.trials ? 1 : 0, group.values.length ? loss(mean(group.values)) : 0];
  return [...groups.values()].map(group => ({ group, at: place(group) }))
    .sort(({ at: a }, { at: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).map(({ group }) => group);
}

function drawReplicates(trials) {
  const replicate = AXES.findIndex(axis => axis.key === DATA.replicate);
  const section = document.getElementById("replicates-section");
  section.hidden = replicate < 0;
  if (replicate < 0) return;
  const groups = replicateGroups(trials, replicate);
  const others = DIFFERING.filter(place => place !== replicate);
  const heads = ["#", ...(DATA.several ? ["sweep"] : []), ...others.map(place => AXES[place].name), "mean", "deviation", "finished"];
  const head = element("tr", {}, ...heads.map(text => element("th", { scope: "col" }, element("span", { textContent: text }))));
  const rows = groups.map((group, place) => {
    const cells = [place + 1, ...(DATA.several ? [group.sweep] : []), ...group.settings,
      group.values.length ? short(mean(group.values)) : "", short(deviation(group.values), 3), `${group.values.length} of ${group.trials}`];
    return element("tr", {}, ...cells.map(text => element("td", { textContent: text })));
  });
  document.getElementById("replicates").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
  document.getElementById("replicates-note").textContent =
    `Best ${DATA.metric} over ${AXES[replicate].name}: mean and sample standard deviation of finished trials. Settings whose trials have all finished come first.`;
}
