// What the reader does: searching, choosing, moving.

// ---- choosing

function choose(id) {
  chosen = id;
  find("near").replaceChildren();
  find("chosen").replaceChildren();
  delete canvas.dataset.chosen;
  if (id >= 0) {
    find("chosen").append(element("strong", {}, table.words[id]), element("span", {}, about(id)));
    table.near[id].forEach((other, place) => {
      const cosine = table.cosines[id][place];
      const row = element("button", { type: "button", onclick: () => { fill(other); choose(other); } },
        element("span", {}, table.words[other]), element("span", {}, cosine.toFixed(3)));
      row.style.setProperty("--share", `${100 * Math.max(0, cosine)}%`);
      find("near").append(element("li", {}, row));
    });
    reveal(id);
  }
  remember();
  redraw();
}

// ---- the address, which shows a word of a table again

function remember() {
  const given = new URLSearchParams();
  if (table !== tables[0]) given.set("table", table.name);
  if (chosen >= 0) given.set("word", table.words[chosen]);
  const text = given.toString();
  if (text !== location.hash.slice(1)) history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}

function followAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const wanted = tables.find(({ name }) => name === given.get("table")) ?? tables[0];
  const word = given.get("word") ?? "";
  for (const radio of document.getElementsByName("table")) radio.checked = radio.value === wanted.name;
  show(wanted.name);
  find("search").value = word;
  search(true);
}

function fill(id) {
  find("search").value = table.words[id];
  find("search").removeAttribute("aria-invalid");
}

// A word as it was typed, or in lower case; -1: there is none.
function lookUp(text) {
  const word = text.trim();
  const found = table.words.indexOf(word);
  return found < 0 ? table.words.indexOf(word.toLowerCase()) : found;
}

function search(whole) {
  const text = find("search").value, found = lookUp(text), missing = text.trim() !== "" && found < 0;
  if (missing && !whole) return; // more may be typed
  find("search").setAttribute("aria-invalid", String(missing));
  choose(found);
  if (missing) find("chosen").append(element("span", {}, `“${text.trim()}” is not among these words.`));
}

function show(name) {
  const word = chosen < 0 ? null : table.words[chosen];
  table = tables.find(one => one.name === name);
  pointed = -1;
  find("tip").hidden = true;
  find("words").replaceChildren(...table.words.map(value => element("option", { value })));
  const words = table.words.length, most = table.near[0].length;
  find("about").textContent = `t-SNE of the ${number.format(words)} most frequent words. Choose one for the ${most} nearest of them by cosine, in all dimensions.`;
  choose(word === null ? -1 : table.words.indexOf(word));
  fit();
}

// ---- what the reader does

const pointers = new Map();
let moved = 0;

canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  moved = 0;
});

canvas.addEventListener("pointermove", event => {
  const here = [event.offsetX, event.offsetY], before = pointers.get(event.pointerId);
  if (before) {
    canvas.classList.add("dragging");
    moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (pointers.size === 2) pinch(event.pointerId, before, here);
    else pan(here[0] - before[0], here[1] - before[1]);
    pointers.set(event.pointerId, here);
  }
  point(before && moved > 4 ? -1 : nearest(...here), here);
});

// Two fingers: what is between them grows as their distance.
function pinch(id, before, here) {
  const other = [...pointers].find(([key]) => key !== id)[1];
  const length = point => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
  zoom(length(here) / length(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
}

function release(event) {
  pointers.delete(event.pointerId);
  canvas.classList.remove("dragging");
}

canvas.addEventListener("pointerup", event => {
  release(event);
  if (moved > 4) return;
  const id = nearest(event.offsetX, event.offsetY);
  if (id >= 0) fill(id); else find("search").value = "";
  choose(id);
});
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => point(-1, [0, 0]));
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("dblclick", event => zoom(2, event.offsetX, event.offsetY));
canvas.addEventListener("keydown", event => {
  const move = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
  if (move) pan(...move);
  else if (event.key === "+" || event.key === "=") zoom(1.5);
  else if (event.key === "-") zoom(1 / 1.5);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
});

function point(id, [x, y]) {
  const tip = find("tip");
  tip.hidden = id < 0;
  canvas.classList.toggle("pointing", id >= 0);
  if (id >= 0) {
    tip.replaceChildren(element("strong", {}, table.words[id]), element("span", {}, ` ${about(id)}`));
    tip.style.left = `${Math.min(x + 14, canvas.clientWidth - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.max(4, y - tip.offsetHeight - 8)}px`;
  }
  if (id !== pointed) { pointed = id; redraw(); }
}

find("search").addEventListener("input", () => search(false));
find("search").addEventListener("change", () => search(true));
find("search").addEventListener("keydown", event => { if (event.key === "Enter") search(true); });
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => { const by = Number(button.dataset.zoom); if (by) zoom(by); else fit(); });
}
tables.forEach(({ name }, place) => {
  const radio = element("input", { type: "radio", name: "table", value: name, checked: place === 0, onchange: () => show(name) });
  find("tables").append(element("label", {}, radio, name));
});
let size = "";
new ResizeObserver(() => {
  const now = `${canvas.clientWidth}x${canvas.clientHeight}`;
  if (now !== size) { size = now; fit(); }
}).observe(find("map"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
window.addEventListener("hashchange", followAddress);
followAddress();
