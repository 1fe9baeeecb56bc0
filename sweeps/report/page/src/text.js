// Numbers and names as a reader sees them.

const NAME_LETTERS = 24;

/** A number with so many digits; empty for what is missing. */
export function short(value, digits = 6) {
  if (value === null || value === undefined) return "";
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) < 1e9 ? String(rounded) : rounded.toExponential();
}

export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** A text of at most so many letters: what is too long loses its middle. */
export function shorten(text, most = NAME_LETTERS) {
  if (text.length <= most) return text;
  const end = Math.ceil((most - 1) / 2);
  return `${text.slice(0, most - 1 - end)}…${text.slice(text.length - end)}`;
}

/**
 * Labels in at most so many letters each: of a long beginning or end that all have in common only
 * the part next to what differs is kept, from the start of a word on. Label -> its short form.
 */
export function shortLabels(labels, most = NAME_LETTERS) {
  const known = [...new Set(labels)];
  const isLong = known.length > 1 && known.some((label) => label.length > most);
  if (!isLong) return new Map(known.map((label) => [label, shorten(label, most)]));
  const start = commonLength(known);
  const shortest = Math.min(...known.map((label) => label.length));
  const end = Math.min(commonLength(known.map(reversed)), shortest - start);
  const core = Math.max(...known.map((label) => label.length)) - start - end;
  const room = Math.max(0, most - 2 - core);
  const tail = Math.min(end, Math.floor(room / 3));
  let lead = Math.min(start, room - tail);
  const word = known[0].slice(start - lead, start).search(/[_/.,-]/);
  if (lead < start && word >= 0 && word < lead - 1) lead -= word + 1;
  const cut = (label) => {
    const text = label.slice(start - lead, label.length - end + tail);
    return shorten(`${lead < start ? "…" : ""}${text}${tail < end ? "…" : ""}`, most);
  };
  return new Map(known.map((label) => [label, cut(label)]));
}

function commonLength([first, ...others]) {
  let length = 0;
  while (length < first.length && others.every((text) => text[length] === first[length]))
    length += 1;
  return length;
}

function reversed(text) {
  return [...text].reverse().join("");
}

/** The value that stands for an option that a trial does not have. */
export function named(label) {
  return label === "" ? "(none)" : label;
}
