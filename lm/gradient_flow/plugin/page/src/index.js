// The page's start: TensorBoard calls `render`; a page with its data inside starts by itself.

import { findHost } from "./host.js";
import { findSource } from "./source.js";
import { start } from "./app.js";

export async function render() {
  const host = findHost();
  if (!document.querySelector("style[data-flow]")) await style();
  document.documentElement.lang ||= "en";
  const root = document.createElement("main");
  root.id = "flow";
  document.body.append(root);
  await start(root, host, findSource());
  root.dataset.ready = "true";
}

if (document.getElementById("flow-data")) render();

/** The style sheet beside this file; loaded before anything is measured. */
function style() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("./index.css", import.meta.url).href;
  return new Promise((done) => {
    link.onload = link.onerror = done;
    document.head.append(link);
  });
}
