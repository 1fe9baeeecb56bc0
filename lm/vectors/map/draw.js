"use strict";
// The map: words at the places that t-SNE gave them. A place p of 0 to 1 stands at pixel
// view.scale * p + view.x (or y).

const { tables } = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);
const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
const FONT = getComputedStyle(document.body).fontFamily;
const MARGIN = 30, NEAR = 14, STEP = 60, LEAST = 0.5, MOST = 200;
const number = new Intl.NumberFormat("en");

let table, view = { scale: 1, x: 0, y: 0 }, fitted = 1;
let chosen = -1, pointed = -1, waiting = false, widths = new Map();

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made) made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function tone(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); }

// Pixels of a word.
function at(id) {
  const [x, y] = table.places[id];
  return [view.scale * x + view.x, view.scale * y + view.y];
}

// 0 for the most frequent word, 1 for the rarest; ranks span orders of magnitude.
function rarity(id) { return Math.log(id + 1) / Math.log(Math.max(2, table.words.length)); }

function radius(id) { return (6 - 3.6 * rarity(id)) * Math.min(1.6, Math.max(0.8, Math.sqrt(view.scale / fitted))); }

function about(id) {
  const rank = `rank ${number.format(id + 1)}`;
  return table.counts ? `${number.format(table.counts[id])} times, ${rank}` : rank;
}

// ---- drawing

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
}

function draw() {
  const width = canvas.clientWidth, height = canvas.clientHeight, dense = window.devicePixelRatio || 1;
  canvas.width = width * dense;
  canvas.height = height * dense;
  pen.scale(dense, dense);
  const near = chosen < 0 ? [] : table.near[chosen], lit = new Set([chosen, ...near]);
  const often = rgb("often"), rare = rgb("rare");
  const seen = table.words.map((_, id) => id).filter(id => {
    const [x, y] = at(id);
    return x > -20 && y > -20 && x < width + 20 && y < height + 20;
  });
  // The frequent ones late, so that they lie on top, and last those that are lit.
  const above = id => Number(lit.has(id));
  for (const id of seen.toReversed().sort((one, other) => above(one) - above(other))) {
    pen.globalAlpha = chosen < 0 || lit.has(id) ? 0.85 : 0.35;
    dot(id, lit.has(id) ? tone("accent") : mixed(often, rare, rarity(id)), radius(id));
  }
  pen.globalAlpha = 1;
  if (chosen >= 0) {
    pen.strokeStyle = tone("ink");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(...at(chosen), radius(chosen) + 3, 0, 7);
    pen.stroke();
    canvas.dataset.chosen = at(chosen).join(" ");
  }
  label(seen, lit, near);
}

function dot(id, colour, size) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(...at(id), size, 0, 7);
  pen.fill();
}

// Words beside their points, as many as have room: the chosen one, its neighbours, then by frequency.
function label(seen, lit, near) {
  const first = [pointed, chosen, ...near].filter(id => id >= 0);
  const boxes = [], shown = new Set(), ink = tone("ink"), soft = tone("soft"), paper = tone("paper");
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = paper;
  for (const id of [...first, ...seen]) {
    if (shown.has(id) || table.words[id].length > 40) continue;
    const strong = lit.has(id) || id === pointed, size = strong ? 14 : 12;
    pen.font = `${strong ? "600 " : ""}${size}px ${FONT}`;
    const [x, y] = at(id), length = measured(table.words[id]), away = radius(id) + 3;
    const sides = [[x + away, y], [x - away - length, y], [x - length / 2, y - away - 8], [x - length / 2, y + away + 8]];
    const free = sides.slice(0, strong ? 4 : 1).find(([left, middle]) => !taken(boxes, left, middle, length, size));
    if (!free) continue;
    shown.add(id);
    pen.globalAlpha = chosen < 0 || strong ? 1 : 0.6;
    pen.strokeText(table.words[id], ...free);
    pen.fillStyle = strong ? ink : soft;
    pen.fillText(table.words[id], ...free);
  }
  pen.globalAlpha = 1;
  canvas.dataset.labels = String(shown.size);
}

// Whether another label stands there; takes the room if not.
function taken(boxes, left, middle, length, size) {
  const box = [left - 2, middle - size / 2 - 1, left + length + 2, middle + size / 2 + 1];
  if (boxes.some(other => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) return true;
  boxes.push(box);
  return false;
}

function measured(word) {
  const key = `${pen.font}${word}`;
  if (!widths.has(key)) widths.set(key, pen.measureText(word).width);
  return widths.get(key);
}

function rgb(name) { return tone(name).match(/[\da-f]{2}/gi).map(pair => parseInt(pair, 16)); }

function mixed(one, other, share) {
  return `rgb(${one.map((value, place) => Math.round(value + share * (other[place] - value))).join(" ")})`;
}

// ---- the part that is seen

function fit() {
  const width = canvas.clientWidth - 2 * MARGIN - 50, height = canvas.clientHeight - 2 * MARGIN;
  const right = Math.max(...table.places.map(place => place[0])), low = Math.max(...table.places.map(place => place[1]));
  fitted = Math.max(20, Math.min(width / Math.max(right, 1e-6), height / Math.max(low, 1e-6)));
  view = { scale: fitted, x: MARGIN + (width - fitted * right) / 2, y: MARGIN + (height - fitted * low) / 2 };
  redraw();
}

function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const scale = Math.min(MOST * fitted, Math.max(LEAST * fitted, by * view.scale)), share = scale / view.scale;
  view = { scale, x: x - share * (x - view.x), y: y - share * (y - view.y) };
  redraw();
}

function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  redraw();
}

// Bring a word into sight, if it is not.
function reveal(id) {
  const [x, y] = at(id), width = canvas.clientWidth, height = canvas.clientHeight;
  if (x < MARGIN || y < MARGIN || x > width - 2 * MARGIN || y > height - MARGIN) pan(width / 2 - x, height / 2 - y);
}

function nearest(x, y) {
  let best = -1, least = NEAR;
  table.words.forEach((_, id) => {
    const [left, top] = at(id), distance = Math.hypot(left - x, top - y);
    if (distance < least) [best, least] = [id, distance];
  });
  return best;
}
