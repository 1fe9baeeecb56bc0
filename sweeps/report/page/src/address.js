// What of the view the address keeps after `#`, so that a view can be linked and reloaded.

/** The state that an address asks for: what it does not name is as in `defaults`. */
export function readAddress(hash, defaults) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  return Object.fromEntries(
    Object.entries(defaults).map(([key, value]) => [key, given.get(key) ?? value]),
  );
}

/** What the address keeps of a state: all that is not as in `defaults`. */
export function writeAddress(state, defaults) {
  const kept = Object.entries(state).filter(([key, value]) => value !== defaults[key]);
  return new URLSearchParams(kept).toString();
}

/** "a,b" -> ["a", "b"]; nothing for an empty text. */
export function readList(text) {
  return text ? text.split(",") : [];
}

/** Ranges that are kept: "rate~0.1~0.5|kind~0~1" -> Map of a key to its lowest and highest. */
export function readRanges(text) {
  const found = new Map();
  for (const part of text ? text.split("|") : []) {
    const [key, low, high] = part.split("~");
    if (key && Number.isFinite(parseFloat(low)) && Number.isFinite(parseFloat(high))) {
      found.set(key, [parseFloat(low), parseFloat(high)]);
    }
  }
  return found;
}

export function writeRanges(ranges) {
  return [...ranges]
    .map(
      ([key, [low, high]]) => `${key}~${Number(low.toPrecision(7))}~${Number(high.toPrecision(7))}`,
    )
    .join("|");
}
