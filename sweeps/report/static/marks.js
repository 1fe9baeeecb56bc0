// How the figures look, alike in all of them: colours, dashes, markers, the light or dark theme.

const CATEGORIES = ["#4477aa", "#ee7733", "#228833", "#cc3377", "#aa8800", "#33a0c4", "#8855bb", "#997755", "#777777", "#bb5566"];
// Status -> dash of its curve, symbol at its end. Finished ones are plain.
const MARKS = {
  stopped: ["dash", "square"], diverged: ["dot", "x"], interrupted: ["dashdot", "diamond"],
  failed: ["dashdot", "triangle-up"], running: ["solid", "circle-open"],
};
// Without these, Plotly offers to send the data to its makers.
const CONFIG = {
  showSendToCloud: false, plotlyServerURL: "", displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Plotly reads some HTML in texts.
function plain(text) { return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); }

function tone(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

function layout(more = {}) {
  const ink = tone("ink"), line = tone("line"), paper = tone("paper");
  const { xaxis = {}, yaxis = {}, ...rest } = more;
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true, tickfont: { color: tone("soft") } };
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink },
    paper_bgcolor: paper, plot_bgcolor: paper, margin: { l: 60, r: 20, t: 16, b: 48 },
    hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink, size: 12.5 }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: tone("soft"), activecolor: ink },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

function bar(title) {
  return { title: { text: plain(title), side: "right" }, thickness: 12, outlinewidth: 0, len: 1, tickfont: { color: tone("soft") } };
}

// Draw, or say why there is nothing to draw.
function draw(id, traces, how, reason = "no run matches the filter") {
  const place = document.getElementById(id);
  if (traces.length) {
    if (place.classList.contains("empty")) place.textContent = "";
    place.classList.remove("empty");
    Plotly.react(place, traces, how, CONFIG);
    return;
  }
  Plotly.purge(place);
  place.classList.add("empty");
  place.textContent = reason;
}

// A name that may break after `_` and `/`, as a narrow column needs it.
function breakable(text) { return text.split(/(?<=[_/.])/).flatMap((part, place) => place ? [element("wbr"), part] : [part]); }

function statusLabel(status) { return element("span", { className: `status ${status}`, textContent: status }); }

// From worst to best: the best stands out from the paper, dark on light or bright on dark.
const ON_LIGHT = [[196, 200, 50], [94, 190, 98], [33, 145, 140], [59, 82, 139], [68, 1, 84]];
const ON_DARK = [[126, 87, 194], [84, 120, 190], [40, 160, 150], [110, 200, 100], [225, 220, 70]];
function onDark() { return matchMedia("(prefers-color-scheme: dark)").matches; }
function stops() { return onDark() ? ON_DARK : ON_LIGHT; }

// The colour at a share from 0, the worst, to 1.
function graded(share) {
  const all = stops();
  const at = Math.min(Math.max(share, 0), 1) * (all.length - 1), below = Math.min(Math.floor(at), all.length - 2);
  const mixed = all[below].map((part, place) => Math.round(part + (all[below + 1][place] - part) * (at - below)));
  return `rgb(${mixed.join(",")})`;
}

// The same for Plotly: from the smallest value to the largest.
function scale() {
  const colours = stops().map(stop => `rgb(${stop.join(",")})`);
  if (DATA.mode === "min") colours.reverse();
  return colours.map((colour, place) => [place / (colours.length - 1), colour]);
}

function bestIs() { return onDark() ? "bright" : "dark"; }
