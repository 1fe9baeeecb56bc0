"""URLs of stores: what they are, how they are opened, and what their errors mean."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sweeps.errors import UserError, first_line


def is_url(text: str) -> bool:
    """Whether an output folder is named by a URL, as in `s3://bucket/path`, not by a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def open_store(url: str) -> tuple[Any, str]:
    """A pyarrow file system and the path in it: pyarrow's own, else fsspec's."""
    import fsspec
    from pyarrow import ArrowInvalid
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        files, root = FileSystem.from_uri(url)
        return files, str(root)
    except ArrowInvalid as error:
        if "Unrecognized filesystem type" not in str(error):
            raise
    files, root = fsspec.core.url_to_fs(url)
    return PyFileSystem(FSSpecHandler(files)), str(root)


@contextmanager
def user_errors(url: str) -> Iterator[None]:
    """Turn a store's errors into a sentence about the URL."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(
            f"output_dir={url} needs a package ({first_line(error)}); install it."
        ) from error
    except ValueError as error:
        raise UserError(
            f"output_dir={url} cannot be opened ({first_line(error)}); give a path, or a URL such "
            "as s3://bucket/path, gs://bucket/path, hdfs://host/path or file:///path."
        ) from error
    except Exception as error:  # every store has errors of its own
        raise UserError(_failure(url, error)) from error


def _failure(url: str, error: Exception) -> str:
    text = first_line(error)
    if isinstance(error, PermissionError) or re.search(
        r"access.?denied|forbidden|credential|unauthori[sz]ed|\b40[13]\b", str(error), re.I
    ):
        return f"output_dir={url} refuses access ({text}); check your credentials and their rights."
    return (
        f"output_dir={url} cannot be reached ({text}); check its name, this machine's network and "
        "that the bucket or server exists."
    )
