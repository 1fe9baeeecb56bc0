"""Records of gradient flow: what is written is read, and damage is told."""

import numpy as np
import pytest

from lm.gradient_flow.codec import MAGIC, ComponentRecord, decode, encode


def record(items: int = 2, length: int = 7, reach: int = 5, units: int = 0) -> ComponentRecord:
    """Contributions that vanish with distance, over 40 powers of ten."""
    rng = np.random.default_rng(0)
    inside = np.arange(reach) <= np.arange(length)[:, None]

    def values(*more: int) -> np.ndarray:
        shape = (items, length, reach, *more)
        magnitudes = 10.0 ** rng.uniform(-38, 2, shape)
        place = inside.reshape(1, length, reach, *(1 for _ in more))
        return (magnitudes * place).astype(np.float32)

    each = values(units) if units else None
    return ComponentRecord(values(), values(), each, input_norms=values(), means=values())


@pytest.mark.parametrize("units", [0, 3])
def test_what_is_written_is_read_to_a_thousandth(units: int) -> None:
    written = record(units=units)
    read = decode(encode(written))
    assert (read.units is None) == (units == 0)
    for given, found in zip(written, read, strict=True):
        if given is not None and found is not None:
            np.testing.assert_allclose(found, given, rtol=1e-3)
            assert found.dtype == np.float32


def test_zeros_and_what_is_no_number_stay_so() -> None:
    norms = np.array([[[0, 0], [np.nan, 3]]], np.float32)
    read = decode(encode(ComponentRecord(norms, np.zeros_like(norms))))
    np.testing.assert_allclose(read.norms, norms, rtol=1e-3)
    assert not read.mean_abs.any()


def test_record_of_25_steps_takes_under_three_kilobytes() -> None:
    assert len(encode(record(items=1, length=25, reach=25))) < 3000


@pytest.mark.parametrize("missing", [("means",), ("means", "input_norms")])
def test_record_of_an_earlier_version_is_read_without_what_it_lacks(
    missing: tuple[str, ...],
) -> None:
    whole = record()
    read = decode(encode(whole._replace(**dict.fromkeys(missing))))
    assert [name for name, value in read._asdict().items() if value is None] == sorted(
        ("units", *missing), key=ComponentRecord._fields.index
    )
    np.testing.assert_allclose(read.norms, whole.norms, rtol=1e-3)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[:40], "damaged"),
        (lambda data: data[:-9], "damaged"),
        (lambda data: data.replace(b'"T":7', b'"T":9'), "damaged"),
        (lambda data: b"LGF2" + data[4:], "version"),
        (lambda data: b"", "no record"),
    ],
)
def test_damage_and_other_versions_are_told_in_a_sentence(damage: object, told: str) -> None:
    data = encode(record())
    assert data.startswith(MAGIC)
    with pytest.raises(ValueError, match=told):
        decode(damage(data))  # type: ignore[operator]


def test_negative_values_and_arrays_that_do_not_fit_are_refused() -> None:
    norms = np.ones((1, 3, 3), np.float32)
    with pytest.raises(ValueError, match="negative"):
        encode(ComponentRecord(-norms, norms))
    with pytest.raises(ValueError, match="no record"):
        encode(ComponentRecord(norms, norms[:, :2]))
    with pytest.raises(ValueError, match="do not fit"):
        encode(ComponentRecord(norms, norms, np.ones((1, 2, 3, 4), np.float32)))
