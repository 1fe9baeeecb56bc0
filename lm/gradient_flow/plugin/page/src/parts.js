// The components of a record, such as layer_1/h: a layer, and what of it.

const NAMES = {
  h: "what comes back along the hidden state",
  c: "what comes back along the cell state",
  both: "what comes back along hidden and cell state",
  down: "what is handed down to the layer below",
};
const SHORT = { both: "h + c" };

/** Names -> [{layer, parts}], in their order. */
export function layersOf(components) {
  const found = new Map();
  for (const name of components) {
    const [layer, part] = split(name);
    found.set(layer, [...(found.get(layer) ?? []), part]);
  }
  return [...found].map(([layer, parts]) => ({ layer, parts }));
}

export function split(component) {
  const at = component.indexOf("/");
  return at < 0 ? [component, ""] : [component.slice(0, at), component.slice(at + 1)];
}

export function join(layer, part) {
  return part ? `${layer}/${part}` : layer;
}

/** The component that is wanted, or the one nearest to it: of its layer, of its state, the first. */
export function closest(components, wanted) {
  if (components.includes(wanted)) return wanted;
  const [layer, part] = split(wanted || "");
  return (
    components.find((name) => split(name)[0] === layer) ??
    components.find((name) => split(name)[1] === part) ??
    components[0]
  );
}

/** "layer_1/c" -> "layer 1, c". */
export function spoken(component) {
  const [layer, part] = split(component);
  return [layer.replaceAll("_", " "), part && shortName(part)].filter(Boolean).join(", ");
}

export function shortName(part) {
  return SHORT[part] ?? part.replaceAll("_", " ");
}

/** What a part is, in words. */
export function partName(part) {
  return NAMES[part] ?? part.replaceAll("_", " ");
}
