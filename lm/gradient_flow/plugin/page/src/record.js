// A record's bytes -> numbers. lm/gradient_flow/codec.py describes and writes them.

const VERSION = "LGF1";
const DTYPE = "log2-u16";
const NOT_FINITE = 65535;

/** Values before those of the loss at step t, where each loss reaches back K steps at most. */
export function offset(t, K) {
  return t <= K ? (t * (t + 1)) / 2 : (K * (K + 1)) / 2 + (t - K) * K;
}

/**
 * Uint8Array -> {T, K, items, units, measures: {name: [values of each item]}, perUnit: [...] | null}.
 * Values are a Float32Array: row t has min(t + 1, K) of them, for k = 0, 1, ... steps back.
 */
export async function decode(bytes) {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== VERSION) {
    throw new Error(
      magic.startsWith("LGF")
        ? `this record is of version ${magic}, and the page reads ${VERSION}: update lm-sweeps`
        : "this is no record of gradient flow",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  if (header.dtype !== DTYPE) throw new Error(`values of ${header.dtype} cannot be read`);
  return unpack(header, expand(await inflate(bytes.subarray(8 + size)), header));
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function expand(bytes, { lo, step }) {
  const count = bytes.length / 2;
  const values = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    const code = bytes[at] | (bytes[count + at] << 8);
    if (code === NOT_FINITE) values[at] = NaN;
    else if (code) values[at] = 2 ** (lo + step * (code - 1));
  }
  return values;
}

function unpack(header, values) {
  const { T, K, items, units } = header;
  const size = offset(T, K);
  let at = 0;
  const block = (width) =>
    Array.from({ length: items }, () => values.subarray(at, (at += size * width)));
  const measures = {};
  for (const name of header.measures) measures[name] = block(1);
  const perUnit = units ? block(units) : null;
  if (at !== values.length) throw new Error("this record is damaged");
  return { T, K, items, units, measures, perUnit };
}
