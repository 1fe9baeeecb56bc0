// Builds the page: `npm ci && npm run build`. The first line of the built file has a hash of its
// sources, so that a test can tell whether it is theirs.

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const target = join(here, "..", "static");

function fingerprint() {
  const hash = createHash("sha256");
  for (const name of readdirSync(source).sort()) hash.update(readFileSync(join(source, name)));
  hash.update(readFileSync(join(here, "package-lock.json")));
  return hash.digest("hex").slice(0, 16);
}

/** The licences of what is bundled, each once. */
function licences() {
  const folder = join(here, "node_modules");
  const texts = new Map();
  for (const name of readdirSync(folder)
    .filter((one) => /^(d3-|internmap)/.test(one))
    .sort()) {
    const path = join(folder, name, "LICENSE");
    if (!existsSync(path)) continue;
    const text = readFileSync(path, "utf8").trim();
    texts.set(text, [...(texts.get(text) ?? []), name]);
  }
  return [...texts].map(([text, names]) => `${names.join(", ")}:\n${text}`).join("\n\n");
}

const common = { bundle: true, minify: true, charset: "utf8", logLevel: "warning" };
await build({
  ...common,
  entryPoints: [join(source, "index.js")],
  outfile: join(target, "page.js"),
  format: "iife",
  target: ["chrome103", "firefox113", "safari16.4"],
  banner: { js: `/* lm-sweeps, report; sources ${fingerprint()} */` },
  footer: { js: `/* With parts of:\n\n${licences()}\n*/` },
});
await build({
  ...common,
  entryPoints: [join(source, "page.css")],
  outfile: join(target, "page.css"),
});
copyFileSync(join(source, "page.html"), join(target, "page.html"));
