"""Byte format of a record: one component's gradient flow in one batch, as an event carries it.

    LGF1 | length of the header, u32 | header, JSON | zlib(values of all blocks)

The header says {"T", "K", "items", "units", "measures", "dtype", "lo", "step"}. A block is one of
the measures, in the header's order, and after them the units if there are any: nonnegative values
of all items, of the loss's step t = 0..T-1, of the distance back k = 0..min(t, K-1), and of the
units. A value is one u16, linear in its base-2 logarithm: 0 is zero, 65535 no finite number, and
`code` in between is 2 ** (lo + step * (code - 1)). The low bytes of all codes stand before the high
ones, which zlib likes. All little-endian. The page's `record.js` reads the same.
"""

import json
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Codes = NDArray[np.uint16]

MAGIC = b"LGF1"
DTYPE = "log2-u16"
MEASURES = {
    "norm": "norms",
    "mean_abs": "mean_abs",
    "mean": "means",
    "input_norm": "input_norms",
}
"""Name in headers and metadata -> field of a record. Records of earlier versions lack `mean`."""
NOT_FINITE = 65535
MAX_CODE = 65534


class ComponentRecord(NamedTuple):
    """Contributions of the loss at step t to the gradient at step j = t - k; zero where k > t.

    Relative precision after decoding is better than 0.1% where a record's values span less than
    180 powers of two.
    """

    norms: Values
    """items x T x K: norm of the contribution to the recurrent weights."""
    mean_abs: Values
    """items x T x K: mean of its absolute value over the units."""
    units: Values | None = None
    """items x T x K x H: the magnitude of each unit's part."""
    input_norms: Values | None = None
    """items x T x K: norm of the contribution to the cell's input weights."""
    means: Values | None = None
    """items x T x K: absolute value of the contribution's mean over the units."""


def encode(record: ComponentRecord) -> bytes:
    """Encode a record.

    Raises:
      ValueError: arrays that do not fit each other, or a negative value.
    """
    items, length, reach = record.norms.shape
    measures = [name for name, field in MEASURES.items() if getattr(record, field) is not None]
    blocks = [getattr(record, MEASURES[name]) for name in measures]
    if any(block.shape != record.norms.shape for block in blocks) or reach > length:
        raise ValueError(f"measures of {[block.shape for block in blocks]} make no record")
    units = 0
    if record.units is not None:
        units = record.units.shape[-1]
        if record.units.shape != (*record.norms.shape, units):
            raise ValueError(f"units of {record.units.shape} do not fit {record.norms.shape}")
        blocks.append(record.units)
    inside = _causal_mask(length, reach)
    packed = [np.asarray(block, np.float32)[:, inside].ravel() for block in blocks]
    codes, lo, step = _quantize(np.concatenate(packed))
    header = {
        "T": length,
        "K": reach,
        "items": items,
        "units": units,
        "measures": measures,
        "dtype": DTYPE,
        "lo": lo,
        "step": step,
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    low, high = (codes & 255).astype(np.uint8), (codes >> 8).astype(np.uint8)
    return (
        MAGIC + struct.pack("<I", len(text)) + text + zlib.compress(low.tobytes() + high.tobytes())
    )


def decode(data: bytes) -> ComponentRecord:
    """Decode a record.

    Raises:
      ValueError: the bytes are of another version, or damaged.
    """
    if data[:3] != MAGIC[:3]:
        raise ValueError("these bytes hold no record of gradient flow")
    if data[:4] != MAGIC:
        raise ValueError(f"records of version {data[3:4]!r} are not known; this is for {MAGIC!r}")
    try:
        (size,) = struct.unpack_from("<I", data, 4)
        header = json.loads(data[8 : 8 + size])
        return _unpack(header, zlib.decompress(data[8 + size :]))
    except (ValueError, KeyError, TypeError, struct.error, zlib.error) as error:
        raise ValueError(f"this record of gradient flow is damaged: {error}") from error


def _causal_mask(length: int, reach: int) -> NDArray[np.bool_]:
    """Mask [T, K] of the pairs (t, k) for which step t - k exists."""
    return np.arange(reach) <= np.arange(length)[:, None]


def _quantize(values: Values) -> tuple[Codes, float, float]:
    """Quantize nonnegative values: codes, logarithm of code 1, and step between codes."""
    if (values < 0).any():
        raise ValueError("a record holds magnitudes, none of them negative")
    finite = np.isfinite(values)
    positive = finite & (values > 0)
    logs = np.log2(values[positive].astype(np.float64))
    lo, hi = (float(logs.min()), float(logs.max())) if logs.size else (0.0, 0.0)
    step = (hi - lo) / (MAX_CODE - 1) or 1.0
    codes = np.zeros(values.shape, np.uint16)
    codes[positive] = np.rint((logs - lo) / step) + 1
    codes[~finite] = NOT_FINITE
    return codes, lo, step


def _dequantize(codes: Codes, lo: float, step: float) -> Values:
    number = (codes != 0) & (codes != NOT_FINITE)
    values = np.where(codes == NOT_FINITE, np.nan, 0).astype(np.float32)
    values[number] = np.exp2(lo + step * (codes[number].astype(np.float64) - 1))
    return values


def _unpack(header: dict[str, Any], data: bytes) -> ComponentRecord:
    if header["dtype"] != DTYPE:
        raise ValueError(f"its values are {header['dtype']}")
    items, length, reach, units = (header[name] for name in ("items", "T", "K", "units"))
    inside = _causal_mask(length, reach)
    half = len(data) // 2
    flat = np.frombuffer(data, np.uint8).astype(np.uint16)
    codes: Codes = (flat[:half] | flat[half:] << 8).astype(np.uint16)
    values = _dequantize(codes, header["lo"], header["step"])
    measure = items * int(inside.sum())
    sizes = [measure] * len(header["measures"]) + ([measure * units] if units else [])
    if sum(sizes) != len(values):
        raise ValueError(f"{len(values)} values are not {sum(sizes)}")
    blocks = np.split(values, np.cumsum(sizes)[:-1])
    fields: dict[str, Any] = {}
    for name, block in zip(header["measures"], blocks, strict=False):
        fields[MEASURES[name]] = _scatter(block.reshape(items, -1), inside)
    if units:
        fields["units"] = _scatter(blocks[-1].reshape(items, -1, units), inside)
    return ComponentRecord(**fields)


def _scatter(packed: Values, inside: NDArray[np.bool_]) -> Values:
    """Put values back where the mask is true, zeros elsewhere."""
    full = np.zeros((len(packed), *inside.shape, *packed.shape[2:]), np.float32)
    full[:, inside] = packed
    return full
