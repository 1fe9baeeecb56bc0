"""Names of values, axes, settings and trials, and the filter of run names. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sweeps.errors import UserError

MAX_NAME_BYTES = 180
"""File systems allow 255; the rest is for suffixes such as `.old-<time>`."""

SHORT_WORDS = {"learning_rate": "lr"}
"""Word of a key -> its short form in names."""


def label(value: Any) -> str:
    """Return a value in its shortest exact form, of the characters [A-Za-z0-9._+-] only.

    Other characters become `_`. Four hexadecimal digits of a hash are then added, so that two
    values never have the same label.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    # A worker, which reads names alone, does not load Hydra.
    from hydra.core.override_parser.types import Override, QuotedString

    if isinstance(value, QuotedString):
        return label(value.text)
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else Override._get_value_element_as_str(value)
    clean = re.sub(r"[^A-Za-z0-9._+-]", "_", text)
    if clean == text:
        return text
    return f"{clean.strip('_')}-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def is_label(text: str) -> bool:
    """Return whether a text has the characters of labels only, so that it can be part of a name."""
    return re.fullmatch(r"[A-Za-z0-9._+-]*", text) is not None


def check_folder_name(option: str, name: str) -> None:
    """Refuse a name that could be more than one folder's, or hidden.

    Raises:
      UserError: it has other characters than those of labels, begins with a dot or is too long.
    """
    if not name or len(name) > MAX_NAME_BYTES or name.startswith(".") or not is_label(name):
        raise UserError(
            f"{option}={name} cannot name a folder; use letters, digits and ._+- only, at most "
            f"{MAX_NAME_BYTES} of them and no dot at the start."
        )


def short_keys(keys: Sequence[str], others: Iterable[str] = ()) -> list[str]:
    """Return the last component of each key, and more of them where two keys share it.

    Args:
      keys: keys in full.
      others: further keys in full, from which the short ones must differ, too.
    """
    split = [_components(key) for key in dict.fromkeys([*keys, *others])]
    return [_shortest_suffix(_components(key), split) for key in keys]


def _components(key: str) -> list[str]:
    return [SHORT_WORDS.get(part, part) for part in re.split(r"[./@:]", key)]


def _shortest_suffix(parts: list[str], others: list[list[str]]) -> str:
    for size in range(1, len(parts)):
        suffix = parts[-size:]
        if sum(other[-size:] == suffix for other in others) == 1:
            return _clean_key(suffix)
    return _clean_key(parts)


def _clean_key(parts: Iterable[str]) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "_", ".".join(parts))


def trial_name(pairs: Mapping[str, str], fingerprint: str, digits: int = 6) -> str:
    """Return a trial's name, such as `embed_size=64,rnn_size=192,id=3f2a9c`.

    Each pair ends in a comma, so that the filter `lr=0.1,` does not match 0.15. The last pairs are
    left out where the name would be longer than `MAX_NAME_BYTES`.

    Args:
      pairs: short key -> label, in the axes' order.
      fingerprint: hexadecimal digits of the trial's identity.
      digits: how many of them the name ends in.
    """
    closing = f"id={fingerprint[:digits]}"
    name = ""
    for key, text in pairs.items():
        if len(name) + len(f"{key}={text},{closing}") > MAX_NAME_BYTES:
            break
        name += f"{key}={text},"
    return name + closing


def setting_name(pairs: Mapping[str, str]) -> str:
    """Return the name of a setting that several trials share: `embed_size=64,rnn_size=192,`."""
    name = "".join(f"{key}={text}," for key, text in pairs.items())
    if len(name) <= MAX_NAME_BYTES:
        return name
    return trial_name(pairs, hashlib.sha256(name.encode()).hexdigest())


def digits_needed(fingerprints: Iterable[str], at_least: int = 6) -> int:
    """Return how many first digits make all these fingerprints different."""
    different = set(fingerprints)
    for digits in range(at_least, 64):
        if len({text[:digits] for text in different}) == len(different):
            return digits
    return 64


class RunFilter:
    """A filter of run names, as in TensorBoard's run box: found anywhere, case ignored."""

    def __init__(self, expression: str | None) -> None:
        """Compile a regular expression; None matches every name.

        Raises:
          UserError: it is not a regular expression.
        """
        try:
            self._pattern = re.compile(expression or "", re.IGNORECASE)
        except re.error as error:
            raise UserError(
                f"{expression!r} is not a regular expression ({error}); mend the filter."
            ) from error

    def __call__(self, name: str) -> bool:
        """Return whether a run's name matches."""
        return self._pattern.search(name) is not None
