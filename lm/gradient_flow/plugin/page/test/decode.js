// node decode.js FILE: what the page reads in a record, as JSON.

import { readFileSync } from "node:fs";
import { decode } from "../src/record.js";

const { measures, perUnit, ...header } = await decode(
  new Uint8Array(readFileSync(process.argv[2])),
);
const plain = (items) =>
  items.map((values) => Array.from(values, (one) => (Number.isNaN(one) ? null : one)));
const shown = Object.fromEntries(
  Object.entries(measures).map(([name, items]) => [name, plain(items)]),
);
console.log(JSON.stringify({ ...header, measures: shown, perUnit: perUnit && plain(perUnit) }));
