"""What tables show for the labels of axes: the values that they stand for, short enough to read.

A label is part of a folder's name. A value with other characters than those of names has a label
that ends in digits of a hash, as `-4f53` for an empty list. Tables show the value instead.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from sweeps.errors import UserError
from sweeps.labels import shorten
from sweeps.naming import label, short_keys

HASHED = re.compile(r"-[0-9a-f]{4}$")
"""End of a label that is not its value as it stands (see `sweeps.naming.label`)."""


class ValueTexts:
    """Texts of the values of axes, which tell them apart as their labels do."""

    def __init__(self, trials: Iterable[tuple[Mapping[str, str], str]]) -> None:
        """Find the values of trials.

        Args:
          trials: settings (axis in full -> label) and command of each; the command has the values.
        """
        found: dict[str, dict[str, str]] = {}
        for settings, command in trials:
            for key, name in settings.items():
                texts = found.setdefault(key, {})
                if name not in texts:
                    texts[name] = value_text(key, name, command)
        self._texts = {key: _told_apart(texts) for key, texts in found.items()}
        self._shortened: dict[tuple[str, int], dict[str, str]] = {}

    def __call__(self, key: str, name: str, width: int | None = None) -> str:
        """Return the text of a label.

        Args:
          key: axis in full.
          name: the label; one that no trial has is returned as it stands.
          width: most characters, as far as the axis's texts then differ; None: all.
        """
        texts = self._texts.get(key, {})
        if width is None or name not in texts:
            return texts.get(name, name)
        if (key, width) not in self._shortened:
            self._shortened[key, width] = _short_texts(texts, width)
        return self._shortened[key, width][name]


def value_text(key: str, name: str, command: str) -> str:
    """Return the value that a label of an axis stands for; the label where it cannot be known.

    Args:
      key: axis in full.
      name: the label.
      command: has the value as an override.
    """
    if not HASHED.search(name):
        return name
    for value in _values(key, command):
        if label(value) == name:
            return plain_text(value) or name
    return name


def setting_text(settings: Mapping[str, str], command: str, width: int) -> str:
    """Return a trial's settings in one line: `rnn_size=192,data.files=a b.txt`."""
    texts = ValueTexts([(settings, command)])
    pairs = zip(short_keys(list(settings)), settings.items(), strict=True)
    return ",".join(f"{short}={texts(key, name, width)}" for short, (key, name) in pairs)


def plain_text(value: Any) -> str:
    """Return a value in a line: `none` for nothing, `lr 0.01 at 100` for a change at a step."""
    return " ".join(_plain(value).split())


def _values(key: str, command: str) -> Iterator[Any]:
    """The values that a command gives an option."""
    from sweeps.config import parse_override

    for word in _words(command):
        if word.lstrip("+").startswith(f"{key}="):
            try:
                yield parse_override(word).value()
            except UserError:  # of a trial that another version trained
                continue


@lru_cache(maxsize=16)
def _words(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError:  # a damaged file
        return ()


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, Mapping):
        rest = {str(key): value[key] for key in value if str(key) != "step" or len(value) == 1}
        pairs = zip(short_keys(list(rest)), rest.values(), strict=True)
        text = ", ".join(f"{key} {_plain(one)}" for key, one in pairs) or "none"
        return f"{text} at {_plain(value['step'])}" if len(rest) < len(value) else text
    text = getattr(value, "text", value)  # Hydra's texts in quotes
    return text if isinstance(text, str) else label(text)


def _told_apart(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts, but for those that several labels have: these keep their labels."""
    every = list(texts.values())
    return {name: text if every.count(text) == 1 else name for name, text in texts.items()}


def _short_texts(texts: Mapping[str, str], width: int) -> dict[str, str]:
    """The texts, shortened as far as they then differ."""
    while True:
        found = {name: shorten(text, width) for name, text in texts.items()}
        if len(set(found.values())) == len(set(texts.values())):
            return found
        width += 4
