// Learning curves: one metric of every matching trial over step, relative time or wall time.

const MOST_CURVES = 150;

function drawCurves(trials) {
  const tag = DATA.tags.indexOf(state.tag);
  const having = trials.filter(trial => DATA.curves[trial.place].values[tag]);
  const shown = having.slice(0, MOST_CURVES);
  const paint = painter(shown);
  const traces = shown.map(trial => curve(trial, tag, paint(trial)));
  const xaxis = { title: { text: { step: "step", relative: "seconds since the first report", wall: "wall time" }[state.x] } };
  if (state.x === "wall") xaxis.type = "date";
  const yaxis = { title: { text: plain(state.tag) }, type: state.log ? "log" : "linear" };
  const legend = [...paint.legend];
  const ends = shown.filter(trial => MARKS[trial.status]).map(trial => end(trial, tag, paint(trial)));
  draw("curves", traces.length ? [...traces, ...ends, ...legend] : [],
    layout({ xaxis, yaxis, hovermode: "closest", showlegend: legend.some(trace => trace.showlegend), uirevision: state.tag + state.x + state.log }),
    trials.length ? `no matching run reported ${state.tag}` : undefined);
  document.getElementById("curves-note").replaceChildren(...curvesNote(shown, having.length));
}

function xs(trial, clock) {
  const start = DATA.curves[trial.place].start;
  if (state.x === "step") return clock.steps;
  if (state.x === "relative") return clock.seconds;
  return clock.seconds.map(seconds => {
    const date = new Date((start + seconds) * 1000);  // Plotly shows a time as it is written
    return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, -1);
  });
}

function points(trial, tag) {
  const [place, values] = DATA.curves[trial.place].values[tag];
  return [xs(trial, DATA.curves[trial.place].clocks[place]), values];
}

function curve(trial, tag, colour) {
  const [x, y] = points(trial, tag);
  const alone = y.filter(value => value !== null).length < 2;
  return {
    x, y, type: "scatter", mode: alone ? "markers" : "lines", showlegend: false, name: plain(trial.name),
    line: { color: colour, width: 1.6, dash: (MARKS[trial.status] || ["solid"])[0] }, marker: { color: colour, size: 6 },
    hovertemplate: `<b>%{y:.6~g}</b> at %{x}<br>${plain(trial.name).replaceAll(",", "<br>")}<br>${trial.status}<extra></extra>`,
  };
}

// The last finite point of a trial that did not simply finish.
function end(trial, tag, colour) {
  const [x, y] = points(trial, tag);
  const last = y.findLastIndex(value => value !== null);
  return {
    x: [x[last]], y: [y[last] ?? null], type: "scatter", mode: "markers", showlegend: false, hoverinfo: "skip",
    marker: { color: colour, size: 10, symbol: MARKS[trial.status][1], line: { width: 1.5, color: tone("paper") } },
  };
}

// Colours by an axis's value, by sweep, or by the best value; `legend` are traces that explain them.
function painter(trials) {
  if (state.colour === "sweep") return byValue(trials, DATA.sweeps, trial => trial.sweep, "", false);
  const place = AXES.findIndex(axis => axis.key === state.colour);
  if (place < 0) return byBest(trials);
  const { name, numeric, ranges } = AXES[place];
  const names = ranges.map(([range]) => range);
  return byValue(trials, names, trial => RANGE_OF[place].get(trial.settings[place]), name, numeric && names.length > 2);
}

function byBest(trials) {
  const known = trials.filter(trial => trial.counted).map(trial => trial.best).sort((a, b) => a - b);
  const share = value => known.length > 1 ? known.findIndex(other => other >= value) / (known.length - 1) : 0.3;
  const paint = trial => {
    if (trial.best === null || !trial.counted) return tone("soft");
    return graded(DATA.mode === "min" ? 1 - share(trial.best) : share(trial.best));
  };
  paint.legend = [];
  return paint;
}

function byValue(trials, values, valueOf, name, ordered) {
  const at = trial => values.indexOf(valueOf(trial));
  const colour = place => {
    if (place < 0) return tone("soft");
    return ordered || values.length > CATEGORIES.length ? graded(place / Math.max(1, values.length - 1)) : CATEGORIES[place];
  };
  const paint = trial => colour(at(trial));
  const there = new Set(trials.map(at));
  paint.legend = values.flatMap((value, place) => there.has(place) ? [{
    x: [null], y: [null], type: "scatter", mode: "lines", showlegend: true, name: plain(`${name} ${value}`),
    line: { color: colour(place), width: 3 }, hoverinfo: "skip",
  }] : []);
  return paint;
}

function curvesNote(shown, having) {
  const words = [];
  if (state.colour === "best") words.push(`Runs are coloured by rank among the finished and stopped ones, ${bestIs()} is best; others are grey.`);
  const marked = [...new Set(shown.map(trial => trial.status))].filter(status => MARKS[status]);
  if (marked.length) words.push(`Ends: ${marked.map(status => `${SYMBOLS[status]} ${status}`).join(", ")}.`);
  if (having > shown.length) words.push(`The ${shown.length} best ranked of ${having} runs are drawn; filter to see others.`);
  if (DATA.longest > DATA.points) words.push(`Curves are thinned to at most ${DATA.points} points, evenly spaced; best values are of all points.`);
  words.push("Values that are not finite leave a gap.");
  return [words.join(" ")];
}

const SYMBOLS = { stopped: "■ dashed,", diverged: "✖ dotted,", interrupted: "◆ dash-dotted,", failed: "▲ dash-dotted,", running: "○" };
