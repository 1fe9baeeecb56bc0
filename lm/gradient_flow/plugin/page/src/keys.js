// Keys: left and right through the batches, brackets through the losses of one.

const MOVES = {
  ArrowLeft: { by: -1 },
  ArrowRight: { by: 1 },
  PageUp: { by: -10 },
  PageDown: { by: 10 },
  Home: { by: -Infinity },
  End: { by: Infinity },
  "[": { loss: -1 },
  "]": { loss: 1 },
  Escape: { drop: true },
};
const TYPED_IN = "input, select, textarea, [contenteditable], [role='slider'], mat-select";

export function keyed(host, move) {
  const pressed = (event) => {
    const found = MOVES[event.key];
    if (!found || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(TYPED_IN)) return;
    if (move(found)) event.preventDefault();
  };
  for (const place of host.keys) place.addEventListener("keydown", pressed);
}
