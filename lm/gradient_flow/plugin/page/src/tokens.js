// The rows of tokens: what each step read, what was to come, and what was predicted.

import { MOST_LETTERS, numberedEvery, visible } from "./layout.js";
import { shown } from "./words.js";

/** names: where the names of the rows go; layer: the rest, which stays within the plot. */
export function drawTokens(names, layer, { place, labels, T, item }) {
  const { numbers, rows, legible, turned } = place.rows;
  names
    .selectAll("text")
    .data([numbers, ...rows])
    .join("text")
    .attr("class", "name")
    .attr("x", place.plot.left - 8)
    .attr("y", ({ top, height }) => top + height / 2)
    .attr("dy", "0.35em")
    .attr("text-anchor", "end")
    .text(({ name }) => name);
  const [from, to] = visible(place, T);
  const steps = Array.from({ length: to - from }, (_, at) => from + at);
  drawNumbers(layer, numbers, steps, place, T);
  drawVerdicts(layer, rows.at(-1), steps, place, labels.correct[item]);
  const texts = { reads: labels.inputs, "to come": labels.targets, predicts: labels.predictions };
  const cells = (legible ? rows : []).flatMap((row) =>
    steps.map((step) => ({ step, row, text: shown(texts[row.name][item][step]) })),
  );
  drawTexts(layer, cells, place, turned, labels.correct[item]);
}

/** A group of its own, so that what is added to it later lies under what was drawn on top. */
function part(layer, name) {
  const found = layer.select(`g.${name}`);
  return found.empty() ? layer.append("g").attr("class", name) : found;
}

function drawNumbers(layer, row, steps, place, T) {
  const every = numberedEvery(place.step, T);
  part(layer, "numbers")
    .selectAll("text")
    .data(steps.filter((step) => (step + 1) % every === 0))
    .join("text")
    .attr("x", (step) => place.x(step) + place.step / 2)
    .attr("y", row.top + row.height / 2)
    .attr("dy", "0.35em")
    .attr("text-anchor", "middle")
    .text((step) => step + 1);
}

function drawVerdicts(layer, row, steps, place, correct) {
  const width = Math.max(0.5, place.step - (place.step > 5 ? 1 : 0));
  part(layer, "verdicts")
    .selectAll("rect")
    .data(steps)
    .join("rect")
    .attr("class", (step) => `verdict ${correct[step] ? "right" : "wrong"}`)
    .attr("x", (step) => place.x(step))
    .attr("y", row.top)
    .attr("width", width)
    .attr("height", row.height);
  // Not by colour alone: wrong ones are underlined.
  part(layer, "lines")
    .selectAll("rect")
    .data(steps.filter((step) => !correct[step]))
    .join("rect")
    .attr("class", "line")
    .attr("x", (step) => place.x(step))
    .attr("y", row.top + row.height - 2.5)
    .attr("width", width)
    .attr("height", 2.5);
}

function drawTexts(layer, cells, place, turned, correct) {
  const size = Math.min(13, turned ? place.step * 0.95 : place.step * 1.25);
  part(layer, "texts")
    .selectAll("text")
    .data(cells)
    .join("text")
    .attr("class", ({ step, row }) =>
      row.name !== "predicts" ? "token" : `token predicted ${correct[step] ? "right" : "wrong"}`,
    )
    .attr("font-size", size)
    .attr("text-anchor", turned ? "end" : "middle")
    .attr("transform", ({ step, row }) => {
      const across = place.x(step) + place.step / 2;
      return turned
        ? `translate(${across + size * 0.33},${row.top + 3}) rotate(-90)`
        : `translate(${across},${row.top + row.height / 2 + size * 0.34})`;
    })
    .text(({ text }) =>
      text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text,
    );
}
