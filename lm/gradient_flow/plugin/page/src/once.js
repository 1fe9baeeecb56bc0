// What takes a while to compute from some values is computed once for as long as they are there.

const known = new WeakMap();

/** What `make` gives for these values under this name. */
export function once(values, name, make) {
  if (!known.has(values)) known.set(values, new Map());
  const found = known.get(values);
  if (!found.has(name)) found.set(name, make());
  return found.get(name);
}
