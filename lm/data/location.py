"""Where the text of a trained trial lies now: it may have moved since, or the reader has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.errors import UserError


class TextLocation(NamedTuple):
    """Paths of a text in place of those that a trial recorded; by default, those."""

    root: Path | None = None
    """Folder with the files, `data.root`."""
    files: tuple[Path, ...] = ()
    """The files, `data.files`."""

    def apply(self, raw_config: Mapping[str, Any]) -> dict[str, Any]:
        """Put the paths into a recorded configuration.

        Without `files`, those recorded are looked for in `root`: as they are named there, or, where
        that finds none, by the last part of their paths.

        Raises:
          UserError: files are given for a corpus that has its own, or a name is not UTF-8.
        """
        if self == AS_RECORDED:
            return dict(raw_config)
        for path in (*self.files, *([self.root] if self.root else ())):
            if not is_utf8(str(path)):
                raise UserError(
                    f"the name {str(path)!r} is not UTF-8, and no configuration can hold it; "
                    "rename the file or folder."
                )
        data = dict(raw_config["data"])
        if self.files and data["name"] not in ("text", "code"):
            raise UserError(
                f"--files goes with data=text and data=code, and this trial has data={data['name']}"
                "; give the folder of its files with --root DIR."
            )
        if self.files:
            data |= {"root": None, "files": [str(path) for path in self.files]}
        if self.root is not None:
            data["root"] = str(self.root)
            data["files"] = [_found_below(self.root, file) for file in data["files"]]
        return {**raw_config, "data": data}


AS_RECORDED = TextLocation()


def is_utf8(text: str) -> bool:
    """Whether a text of the command line or of the disk has no bytes in it that are not UTF-8."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def location_options(corpus: str) -> str:
    """The options that say where the text of a trial with this `data.name` lies now."""
    return "--root DIR or --files FILE" if corpus in ("text", "code") else "--root DIR"


def _found_below(root: Path, file: str) -> str:
    """A recorded path, below `root` if it is there."""
    here = Path(file).name
    return here if not (root / file).exists() or Path(file).is_absolute() else file
