// What a person sees here, for a first visit; closed, it stays closed.

import { select } from "d3-selection";

const KEY = "lm-gradient-flow.introduction";
const LINES = [
  "A bar is a step of the text below it, and its height is the gradient that arrives there. Dark " +
    "parts come from the step\u2019s own loss, bright ones from losses further to the right.",
  "Green words were predicted rightly, red and underlined ones wrongly. Point at a bar or a word: " +
    "what its loss sends back stays bright, and below the text hangs its horizon, back to where a " +
    "tenth of it is left.",
  "Over training, a bar is a recorded batch: point at it to see it, click to select it.",
];

export function introduction(parent) {
  const root = select(parent).append("details").attr("class", "introduction");
  root.append("summary").text("What this shows");
  root.append("ol").selectAll("li").data(LINES).join("li").text((line) => line);
  root.property("open", remembered() !== "closed");
  root.on("toggle", () => remember(root.property("open") ? "open" : "closed"));
}

// A browser may refuse a page its storage; then the lines are there on each visit.
function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    return;
  }
}
