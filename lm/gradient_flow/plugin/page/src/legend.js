// What the colours mean.

import { select } from "d3-selection";

const STOPS = 24;

export function legend(parent) {
  const root = select(parent).append("div").attr("class", "legend");
  return (given) => {
    root.property("hidden", !given);
    if (!given) return;
    const { view, farthest, colours } = given;
    const distances = view === "bars";
    const [from, to] = distances ? ["its own loss", `${farthest} steps later`] : ["little", "much"];
    const shades = Array.from({ length: STOPS }, (_, at) => {
      const part = at / (STOPS - 1);
      // As many pixels for 1 to 2 steps as for 10 to 20: the shades are spread so.
      return distances ? colours.shade((farthest + 1) ** part - 1, farthest) : colours.heatOf(part);
    });
    root.selectAll("*").remove();
    root.append("span").text(distances ? "Gradient from" : "Gradient");
    root.append("span").text(from);
    root.append("i").style("background", `linear-gradient(to right, ${shades.join(",")})`);
    root.append("span").text(to);
    root.append("span").attr("class", "right").text("right");
    root.append("span").attr("class", "wrong").text("wrong");
  };
}
