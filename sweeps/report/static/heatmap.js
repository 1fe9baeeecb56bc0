// The mean of the best metric over two axes; the others are averaged over.

function drawHeatmap(trials) {
  const across = AXES.findIndex(axis => axis.key === state.across), down = AXES.findIndex(axis => axis.key === state.down);
  const note = document.getElementById("heatmap-note");
  document.getElementById("heatmap-section").hidden = DIFFERING.length < 2;
  if (across < 0 || down < 0 || across === down) {
    note.textContent = "";
    draw("heatmap", [], {}, "choose two different axes");
    return;
  }
  const { columns, rows, cells } = table(trials, across, down);
  const z = cells.map(row => row.map(cell => cell.values.length ? mean(cell.values) : null));
  const text = z.map(row => row.map(value => value === null ? "" : short(value, 4)));
  const about = cells.map((row, y) => row.map((cell, x) => {
    const spread = deviation(cell.values), value = z[y][x];
    const head = value === null ? "no value" : `mean ${short(value)}${spread === null ? "" : ` ± ${short(spread, 3)}`}`;
    return `<b>${head}</b><br>${cell.values.length} of ${count(cell.trials, "trial")}`;
  }));
  const names = [AXES[across].name, AXES[down].name].map(plain);
  const some = z.some(row => row.some(value => value !== null));
  draw("heatmap", some ? [{
    type: "heatmap", x: columns.map(plain), y: rows.map(plain), z, text, customdata: about,
    texttemplate: columns.length * rows.length <= 150 ? "%{text}" : "", colorscale: scale(),
    xgap: 2, ygap: 2, colorbar: bar(""), hoverongaps: true,
    hovertemplate: `${names[0]} %{x}, ${names[1]} %{y}<br>%{customdata}<extra></extra>`,
  }] : [], layout({
    xaxis: { title: { text: names[0] }, type: "category", showgrid: false },
    yaxis: { title: { text: names[1] }, type: "category", showgrid: false, autorange: "reversed" },
  }), trials.length ? "no matching trial counts" : undefined);
  note.textContent = `Mean best ${DATA.metric} of ${DATA.counted.join(" and ")} trials; ${bestIs()} is best.`;
}

function table(trials, across, down) {
  const there = place => AXES[place].ranges.map(([name]) => name)
    .filter(name => trials.some(trial => RANGE_OF[place].get(trial.settings[place]) === name));
  const columns = there(across), rows = there(down);
  const cells = rows.map(() => columns.map(() => ({ values: [], trials: 0 })));
  for (const trial of trials) {
    const x = columns.indexOf(RANGE_OF[across].get(trial.settings[across]));
    const y = rows.indexOf(RANGE_OF[down].get(trial.settings[down]));
    if (x < 0 || y < 0) continue;
    cells[y][x].trials += 1;
    if (trial.counted) cells[y][x].values.push(trial.best);
  }
  return { columns, rows, cells };
}
