// Numbers and symbols as people read them.

const RAISED = {
  "-": "⁻",
  0: "⁰",
  1: "¹",
  2: "²",
  3: "³",
  4: "⁴",
  5: "⁵",
  6: "⁶",
  7: "⁷",
  8: "⁸",
  9: "⁹",
};
const SHOWN = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "": "∅" };

/** 0.0123, 4.56×10⁻⁷, 12,300. */
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "not finite";
  if (value === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(value)));
  if (power >= -3 && power < 6) {
    return value.toLocaleString("en", { maximumSignificantDigits: digits });
  }
  const [factor, exponent] = value.toExponential(digits - 1).split("e");
  return `${Number(factor)}×10${[...String(Number(exponent))].map((one) => RAISED[one]).join("")}`;
}

/** 12,300: whole numbers in full. */
export function count(value) {
  return value.toLocaleString("en", { maximumFractionDigits: 0 });
}

export function percent(share) {
  const value = 100 * share;
  return value > 0 && value < 0.1 ? "under 0.1%" : `${value.toFixed(value < 10 ? 1 : 0)}%`;
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A token with what has no ink made visible. */
export function shown(token) {
  return SHOWN[token] ?? String(token).replace(/[ \n\t\r]/g, (one) => SHOWN[one]);
}

export function quoted(token) {
  return `“${shown(token)}”`;
}

export function batches(value) {
  return plural(value, "recorded batch", "recorded batches");
}
