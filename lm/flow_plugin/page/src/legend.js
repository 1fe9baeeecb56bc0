// What the shades mean.

import { select } from "d3-selection";

export function legend(parent) {
  const root = select(parent).append("div").attr("class", "legend");
  return ({ view, K, T, colours, open }) => {
    root.property("hidden", !open);
    if (!open) return;
    const [from, to] = view === "bars" ? ["its own loss", `${K - 1} steps later`] : ["little", "much"];
    const titles = { bars: "Gradient from", heat: "Gradient", units: "Gradient" };
    const stops = Array.from({ length: 24 }, (_, at) =>
      view === "bars" ? colours.shade(((K ** (at / 23) - 1) * (K - 1)) / (K - 1 || 1), K) : colours.heatOf(at / 23),
    );
    const parts = [
      ["span", titles[view]],
      ["span", from],
      ["i", stops],
      ["span", to],
      ["span right", `right`],
      ["span wrong", `wrong`],
    ];
    root.selectAll("*").remove();
    for (const [kind, value] of parts) {
      const [tag, name] = kind.split(" ");
      const one = root.append(tag).attr("class", name ?? null);
      if (tag === "i") one.style("background", `linear-gradient(to right, ${value.join(",")})`);
      else one.text(value);
    }
    root.attr("data-steps", T);
  };
}
