"""Overrides as Hydra's grammar reads them; for one that it cannot read, what to write instead."""

import re
import shlex
from collections.abc import Iterable
from functools import cache

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from sweeps.config.schema import NOT_UTF8, is_encodable, printable
from sweeps.errors import UserError

FUNCTIONS = "choice range interval glob shuffle sort tag extend_list int float str bool json_str"
"""Functions of Hydra's grammar."""

_CALL = re.compile(rf"\s*({'|'.join(FUNCTIONS.split())})\s*\(")
_UNPARSED = re.compile(r"mismatched|no viable|extraneous|missing|token recognition|Lexer")
"""Beginnings of errors that speak of the parser's own tokens."""


def parse_override(text: str, loader: ConfigLoader | None = None) -> Override:
    """Read an override.

    Args:
      text: of a command line, or of a sweep file.
      loader: knows the files that `glob(...)` matches; None: they are not needed.

    Raises:
      UserError: it is none; the sentence says what to write.
    """
    if not is_encodable(text):
        raise UserError(f"{printable(text)} {NOT_UTF8}")
    try:
        override = _parser(loader).parse_override(text)
    except HydraException as error:
        raise UserError(_explain(text, error)) from error
    override.config_loader = loader
    if not override.key_or_group and override.package is None:
        raise UserError(_no_override(text))
    return override


def parse_overrides(texts: Iterable[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Read several overrides; see `parse_override`."""
    return [parse_override(text, loader) for text in texts]


@cache
def _parser(loader: ConfigLoader | None) -> OverridesParser:
    return OverridesParser.create(config_loader=loader)


def quoted(text: str) -> str:
    """Return a text between quotes, so that the grammar reads it as it stands."""
    quote = Quote.double if "'" in text and '"' not in text else Quote.single
    return QuotedString(text, quote).with_quotes()


def _explain(text: str, error: HydraException) -> str:
    key, equals, value = text.partition("=")
    if not equals and not text.startswith("~"):
        return _no_override(text)
    if key != key.strip():
        return (
            f"{text} has a blank before its equals sign; write "
            f"{_shell(f'{key.strip()}={value.strip()}')}."
        )
    if (shorter := _without_empty(value)) is not None and _reads(f"{key}={shorter}"):
        return f"{text} has a comma too many; write {_shell(f'{key}={shorter}')}."
    better = _quote_parts(value)
    if not _CALL.match(value) and _reads(key + "=") and _reads(f"{key}={better}"):
        return (
            f"{text} has signs that need quotes, one pair for Hydra and one for the shell; write "
            f"{_shell(f'{key}={better}')}."
        )
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    why = "" if _UNPARSED.match(said) else f" ({said})"
    return (
        f"{text} cannot be read{why}; see that its brackets and quotes are pairs and that its key "
        "is one, as in model.cell=lstm,gru or data.files=['a b.txt']."
    )


def _no_override(text: str) -> str:
    return f"{text} is no override; write key=value, without blanks around the equals sign."


def _reads(text: str) -> bool:
    try:
        _parser(None).parse_override(text)
    except HydraException:
        return False
    return True


def _without_empty(value: str) -> str | None:
    """The value without the empty ones between its commas; None: there are none."""
    parts = [part.strip() for part in value.split(",")]
    kept = [part for part in parts if part]
    return ",".join(kept) if kept and len(kept) < len(parts) else None


def _quote_parts(value: str) -> str:
    """Quote what cannot be read of a value: its text, or those of a list of texts."""
    bare = value.strip()
    if bare.startswith("[") and bare.endswith("]"):
        return f"[{_quote_parts(bare[1:-1])}]"
    parts = [part.strip() for part in bare.split(",")]
    # A bracket without its pair may be a slip: no quotes.
    return ",".join(
        part if part[:1] in "[{" or _reads(f"k={part}") else quoted(part) for part in parts
    )


def _shell(override: str) -> str:
    """An override as a shell takes it."""
    return shlex.quote(override) if re.search(r'["$`\\!]', override) else _double(override)


def _double(override: str) -> str:
    return override if shlex.quote(override) == override else f'"{override}"'
