// Where runs and records come from: TensorBoard's server, or the page itself. Both give
//   runs()            -> {name: {last, about}}
//   overview(run)     -> {steps, components, values: batches x components x 3, kept}
//   batch(run, step)  -> {labels, records: {component: record}}
// `kept` has the steps of which there is more than the overview; null: of all.

import { parseFrame } from "./frame.js";
import { decode } from "./record.js";

/** Decoded batches that are kept: a person goes back and forth. */
const MOST_BATCHES = 48;

export function findSource() {
  const inside = document.getElementById("flow-data");
  return remembering(inside ? embedded(JSON.parse(inside.textContent)) : served());
}

function served() {
  const ask = async (route, given = {}) => {
    const query = new URLSearchParams(given).toString();
    const answer = await fetch(query ? `./${route}?${query}` : `./${route}`);
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  };
  const frame = async (...asked) => parseFrame(await (await ask(...asked)).arrayBuffer());
  return {
    live: true,
    runs: async () => (await (await ask("runs")).json()).runs,
    async overview(run) {
      const { header, body } = await frame("overview", { run });
      const values = new Float32Array(body);
      return { steps: header.steps, components: header.shape[1], values, kept: null };
    },
    async batch(run, step) {
      const { header, body } = await frame("batch", { run, step });
      let at = 0;
      const parts = header.parts.map(([name, size]) => [
        name,
        new Uint8Array(body.slice(at, (at += size))),
      ]);
      return decoded(header.labels, parts);
    },
  };
}

function embedded(data) {
  return {
    live: false,
    runs: async () => data.runs,
    async overview(run) {
      const { steps, components, values, kept } = data.overviews[run];
      return { steps, components, values: new Float32Array(fromBase64(values).buffer), kept };
    },
    async batch(run, step) {
      const { labels, records } = data.batches[run][step];
      const parts = Object.entries(records).map(([name, text]) => [name, fromBase64(text)]);
      return decoded(labels, parts);
    },
  };
}

async function decoded(labels, parts) {
  const records = await Promise.all(
    parts.map(async ([name, bytes]) => [name, await decode(bytes)]),
  );
  return { labels, records: Object.fromEntries(records) };
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

/** Asks once for what it was asked for before; what failed is asked for again. */
function remembering(source) {
  const overviews = new Map();
  const batches = new Map();
  const once = (known, key, ask) => {
    const found = known.get(key) ?? ask();
    known.delete(key);
    known.set(key, found);
    found.catch(() => known.delete(key));
    return found;
  };
  return {
    live: source.live,
    runs: source.runs,
    /** `last` is the run's last step: with another one, there is more to know. */
    overview: (run, last) => {
      const known = overviews.get(run);
      if (known?.last === last) return known.found;
      const found = source.overview(run);
      overviews.set(run, { last, found });
      found.catch(() => overviews.delete(run));
      return found;
    },
    batch: (run, step) => {
      const found = once(batches, `${step} ${run}`, () => source.batch(run, step));
      if (batches.size > MOST_BATCHES) batches.delete(batches.keys().next().value);
      return found;
    },
    /** Forget the batches of a run that was resumed at an earlier step. */
    forget: (run) => {
      for (const key of [...batches.keys()]) if (key.endsWith(` ${run}`)) batches.delete(key);
    },
  };
}
