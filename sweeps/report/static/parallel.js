// Parallel coordinates: one line a trial through its value on every axis and its best metric.

const WIDTH = 0.25;  // of a value's trials, in steps from one value to the next

const WEBGL = Boolean(document.createElement("canvas").getContext("webgl"));

function drawParallel(trials) {
  const drawn = trials.filter(trial => trial.best !== null);
  const dimensions = DIFFERING.map(place => dimension(AXES[place], place, drawn));
  const metric = scaled(`best ${DATA.metric}`, drawn.map(trial => trial.best));
  const { tickvals, ticktext } = metric;
  const statuses = DATA.statuses.filter(status => drawn.some(trial => trial.status === status));
  if (statuses.length > 1) dimensions.push(listed("status", statuses, drawn.map(trial => trial.status)));
  dimensions.push(metric);
  const soft = tone("soft"), ink = tone("ink");
  const line = { color: metric.values, colorscale: scale(), showscale: true, colorbar: { ...bar(""), ...(tickvals && { tickvals, ticktext }) } };
  const trace = {
    type: "parcoords", dimensions, line, labelfont: { color: ink, size: 13 }, tickfont: { color: ink, size: 12 },
    rangefont: { color: "rgba(0,0,0,0)", size: 1 }, unselected: { line: { color: soft, opacity: 0.08 } },
  };
  draw("parallel", WEBGL && drawn.length && dimensions.length > 1 ? [trace] : [], layout({ margin: { l: 70, r: 30, t: 44, b: 20 } }),
    WEBGL && trials.length ? "there is nothing to compare: it takes two different settings with a finite value" : WEBGL ? undefined : "this browser has no WebGL, which this figure needs");
  const words = ["Drag along an axis to select a range, drag its name to move it; click to let go."];
  const without = trials.length - drawn.length;
  if (without) words.push(`${count(without, "trial")} without a finite best value ${without === 1 ? "is" : "are"} left out.`);
  document.getElementById("parallel-note").textContent = words.join(" ");
}

function dimension(axis, place, trials) {
  const labels = trials.map(trial => trial.settings[place]);
  if (!axis.numeric || axis.labels.length <= 12 || labels.some(label => !Number.isFinite(parseFloat(label))))
    return listed(axis.name, [...axis.labels, ""].filter(label => labels.includes(label)), labels);
  return scaled(axis.name, labels.map(Number));
}

// Values evenly spaced, in order. The trials of a value lie side by side, in rank, as they would
// hide each other.
function listed(label, known, values) {
  const texts = known.map(text => plain(text === "" ? "(none)" : text));
  const place = (value, rank) => known.indexOf(value) + WIDTH * (0.5 - rank / Math.max(1, values.length - 1));
  const range = [-WIDTH, known.length - 1 + WIDTH];
  return { label: plain(label), values: values.map(place), tickvals: known.map((_, at) => at), ticktext: texts, range };
}

// A number's own scale: logarithmic where it spans two decades and that spreads the values better.
function scaled(label, values) {
  const [low, high] = bounds(values);
  const middle = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const off = scale => Math.abs((scale(middle) - scale(low)) / (scale(high) - scale(low)) - 0.5);
  if (!(low > 0 && high / low >= 100 && off(Math.log) < off(Number))) return { label: plain(label), values };
  const first = Math.floor(Math.log10(low)), decades = Math.ceil(Math.log10(high)) - first;
  const powers = Array.from({ length: decades + 1 }, (_, at) => first + at);
  const inside = powers.filter(power => 10 ** power >= low && 10 ** power <= high);
  const texts = inside.map(power => short(10 ** power, 2));
  return { label: plain(label), values: values.map(Math.log10), tickvals: inside, ticktext: texts };
}

function bounds(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}
