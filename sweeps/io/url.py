"""URLs of stores: recognising them, opening them, and their errors as sentences."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sweeps.errors import UserError, first_line


def is_url(text: str) -> bool:
    """Return whether the name of an output folder is a URL such as `s3://bucket/path`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def open_store(url: str) -> tuple[Any, str]:
    """Return the pyarrow file system of a URL, and the path in it.

    Schemes that pyarrow does not know are opened by fsspec.
    """
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
    """Raise a store's errors in this context as a `UserError` about the URL."""
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
        raise UserError(_unreachable(url, error)) from error


def _unreachable(url: str, error: Exception) -> str:
    text = first_line(error)
    if isinstance(error, PermissionError) or re.search(
        r"access.?denied|forbidden|credential|unauthori[sz]ed|\b40[13]\b", str(error), re.I
    ):
        return f"output_dir={url} refuses access ({text}); check your credentials and their rights."
    return (
        f"output_dir={url} cannot be reached ({text}); check its name, this machine's network and "
        "that the bucket or server exists."
    )
