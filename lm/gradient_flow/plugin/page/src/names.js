// Names of trials are long, and mostly alike.

/** Names -> the parts of each that not all have: "cell=lstm,id=0bd92e" of "sweep/cell=lstm,...". */
export function shortNames(names) {
  const parts = names.map((name) => name.split(/[/,]/));
  const common = new Set(
    (parts[0] ?? []).filter((part) => parts.every((one) => one.includes(part))),
  );
  const short = parts.map((one) => one.filter((part) => !common.has(part)).join(","));
  const clear = names.length > 1 && new Set(short).size === names.length && short.every(Boolean);
  return new Map(names.map((name, at) => [name, clear ? short[at] : name]));
}
