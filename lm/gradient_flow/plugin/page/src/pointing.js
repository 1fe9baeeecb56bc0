// The pointer on a trial's figure: what it is on, and the zoom.

import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { lossIn } from "./bars.js";
import { bounded, WHOLE } from "./layout.js";
import { rowOf } from "./units.js";

const MOST_ZOOM = 40;

/** What lies under the pointer: {j, t, unit}, or null. */
function under({ scene, shown }, [px, py]) {
  const { place, view } = scene;
  const { left, width, top, height } = place.plot;
  if (px < left || px > left + width || py > place.strip.top + place.strip.height) return null;
  const j = place.stepAt(px);
  // In the strip the loss stays the one that is shown there.
  if (py >= place.strip.top - 14) return { j, t: shown };
  if (py > top + height) return { j, t: j };
  if (view === "bars") return { j, t: lossIn(scene, j, py) };
  if (view === "heat") return { j, t: place.lossAt(py) };
  return scene.units ? { j, t: j, unit: rowOf(scene, py) } : null;
}

/** Tell a panel's actions what the pointer is on, what it clicks, and how it zooms. */
export function listen(self) {
  const node = self.drawn.node;
  const at = (event) => {
    const { left, top } = node.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  node.addEventListener("pointermove", (event) => {
    if (!self.scene || event.buttons) return;
    const hover = under(self, at(event));
    self.actions.point(hover);
  });
  node.addEventListener("pointerleave", () => self.actions.point(null));
  node.addEventListener("click", (event) => {
    const hover = self.scene && under(self, at(event));
    if (hover) self.actions.pin(hover.t);
  });
  zoomable(self, node);
}

function zoomable(self, node) {
  // A wheel scrolls the page, unless the picture is one to go into.
  const wanted = (event) =>
    event.type === "wheel"
      ? self.scene?.view === "heat" || event.ctrlKey || event.metaKey
      : !event.button && self.zoom.k > 1;
  self.behaviour = zoom()
    .scaleExtent([1, MOST_ZOOM])
    .filter(wanted)
    .on("zoom", ({ transform, sourceEvent }) => {
      if (self.following || !sourceEvent || !self.scene) return;
      const { left, top, width, height } = self.scene.place.plot;
      const { k } = transform;
      // d3 zooms about the figure's corner, the figure about its plot's.
      const x = (transform.x + left * k - left) / width;
      const y = (transform.y + top * k - top) / height;
      self.actions.zoomed(bounded({ k, x, y }));
    });
  select(node)
    .call(self.behaviour)
    .on("dblclick.zoom", () => self.actions.zoomed(WHOLE));
}

/** Take over a zoom that was set elsewhere. */
export function follow(self, given) {
  self.zoom = given;
  const { left, top, width, height } = self.scene.place.plot;
  const { k } = given;
  const transform = zoomIdentity
    .translate(given.x * width - left * k + left, given.y * height - top * k + top)
    .scale(k);
  // Amid a turn of the wheel, d3 tells of this as if the wheel had done it.
  self.following = true;
  select(self.drawn.node).call(self.behaviour.transform, transform);
  self.following = false;
}
