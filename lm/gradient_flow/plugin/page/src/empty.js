// What is said where there is nothing to show.

import { select } from "d3-selection";

const COMMANDS = [
  ["in any run or sweep", "python -m lm.train gradient_flow.every=100"],
  ["the paper's use case", "python -m lm.train +experiment=rnnbow"],
  ["vanilla RNN, GRU and LSTM side by side", "python -m lm.sweep +sweep=gradient_flow"],
];

/** Shows what is to be said; gives whether there is anything. */
export function emptyState(parent) {
  const root = select(parent).append("section").attr("class", "empty");
  return ({ names, all, filter, error, live }) => {
    const [title, text, commands] = error
      ? ["No answer", error, []]
      : !all
        ? [
            "No gradient flow is recorded here",
            "Gradient flow shows which part of the gradient at each step came from the loss at which " +
              `later step. It is recorded where a run is asked to${live ? "; this tab fills while it trains" : ""}:`,
            COMMANDS,
          ]
        : !names.length
          ? [
              "No trial matches",
              `None of ${all} trials with gradient flow matches the filter ${filter}.`,
              [],
            ]
          : [];
    root.property("hidden", !title);
    if (!title) return false;
    root.selectAll("*").remove();
    root.append("h2").text(title);
    root.append("p").text(text);
    for (const [what, command] of commands) {
      const line = root.append("p").attr("class", "command");
      line.append("code").text(command);
      line.append("span").text(what);
    }
    return true;
  };
}
