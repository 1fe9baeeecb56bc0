// Importance of the options, and means over replicates: what is said, and how surely.

import { element } from "./elements.js";
import { replicateGroups } from "./groups.js";
import { bootstrapInterval, deviation, LEAST_VALUES, mean } from "./statistics.js";
import { count, named, short, shorten } from "./text.js";

const FEW_TRIALS = 20;

/** Drawn once: it is of all trials of the report. */
export function drawImportance(app) {
  const { shares, trials, reason, single } = app.data.importance;
  const place = document.getElementById("importance");
  const note = document.getElementById("importance-note");
  const name = (key) => app.axes.find((axis) => axis.key === key).name;
  if (reason) {
    place.replaceChildren(element("p", { textContent: `Not computed: ${reason}.` }));
    return;
  }
  const rest = Math.max(0, 1 - shares.reduce((sum, [, share]) => sum + share, 0));
  const list = element("dl", { className: "bars" });
  const all = [
    ...shares.map(([key, share]) => [name(key), share, ""]),
    ["interactions", rest, "rest"],
  ];
  for (const [text, share, kind] of all) {
    const track = element("div", { className: `track ${kind}` }, element("i"));
    track.firstChild.style.width = `${100 * share}%`;
    // A forest of few trials does not know a tenth of a per cent.
    const digits =
      trials < FEW_TRIALS
        ? `about ${5 * Math.round(20 * share)} %`
        : `${Math.round(100 * share)} %`;
    list.append(
      element("dt", { className: kind, textContent: text }),
      element("dd", {}, track),
      element("dd", { className: `share ${kind}`, textContent: digits }),
    );
  }
  place.replaceChildren(list);
  const words = [
    `Share of the variance of best ${app.data.metric} that an option explains by itself (fANOVA), over all ${trials} trials of this report that finished or were stopped: the filter does not change it.`,
  ];
  if (trials < FEW_TRIALS) words.push(`${trials} trials are few: read it as a hint.`);
  if (single.length)
    words.push(`Left out, for they have one value: ${single.map(name).join(", ")}.`);
  note.textContent = words.join(" ");
}

export function makeReplicates(app) {
  const section = document.getElementById("replicates-section");
  const note = document.getElementById("replicates-note");
  const table = document.getElementById("replicates");
  let rows = [];

  function draw(trials) {
    section.hidden = app.replicate < 0;
    if (section.hidden) return;
    const groups = replicateGroups(trials, app.grouping);
    const others = app.differing.filter((place) => place !== app.replicate);
    const heads = [
      "#",
      ...(app.data.several ? ["sweep"] : []),
      ...others.map((place) => app.axes[place].name),
      "mean",
      "95% interval",
      "deviation",
      "finished",
    ];
    const head = element(
      "tr",
      {},
      ...heads.map((text) =>
        element("th", { scope: "col" }, element("span", { textContent: text })),
      ),
    );
    rows = groups.map((group, place) => {
      const interval = bootstrapInterval(group.values);
      const texts = [
        place + 1,
        ...(app.data.several ? [group.sweep] : []),
        ...group.settings.map((label) => shorten(named(label), 28)),
        group.values.length ? short(mean(group.values)) : "",
        interval ? `${short(interval[0], 4)} to ${short(interval[1], 4)}` : "",
        short(deviation(group.values), 3),
        `${group.values.length} of ${group.trials.length}`,
      ];
      const row = element("tr", {}, ...texts.map((text) => element("td", { textContent: text })));
      row.addEventListener("pointerenter", () => app.hover(group.trials[0], group.trials));
      row.addEventListener("pointerleave", () => app.hover(null));
      return { row, group };
    });
    table.replaceChildren(
      element("thead", {}, head),
      element("tbody", {}, ...rows.map(({ row }) => row)),
    );
    note.textContent = `Best ${app.data.metric} over ${app.axes[app.replicate].name}: mean and sample standard deviation of finished trials, and the 95% bootstrap interval of the mean from ${LEAST_VALUES} trials on. Settings whose trials have all finished come first.`;
    highlight();
  }

  function highlight() {
    for (const { row, group } of rows) {
      row.classList.toggle(
        "hovered",
        group.trials.some((trial) => app.isLit(trial)),
      );
    }
  }

  return { draw, highlight };
}
