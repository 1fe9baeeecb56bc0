"""URLs of stores: recognising them, opening them, and their errors as sentences."""

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from sweeps.errors import UserError, first_line
from sweeps.io.retry import disk_passes, retry, tell_back

T = TypeVar("T")

_USER_AND_PASSWORD = re.compile(r"(?<=://)(?!\[)[^/?#@:]*:(?!\d+(?:[/?#]|$))[^@]*@")
"""What stands before the host, `KEY:SECRET@`; a secret may have slashes in it, a port has none."""
_SECRET_PARAMETER = re.compile(
    r"secret|token|passw|pwd|credential|signature|^sig$|^key$|(access|account|api|sas).?key", re.I
)
"""Names of parameters whose values are secrets, in pyarrow's URLs, fsspec's and signed ones."""


def is_url(text: str) -> bool:
    """Return whether the name of an output folder is a URL such as `s3://bucket/path`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def refuse_secrets(url: str) -> None:
    """Refuse a URL with a password or key in it: it would be kept with every trial.

    Raises:
      UserError: it has one; the sentence does not repeat it.
    """
    if url != without_secrets(url):
        raise UserError(
            f"output_dir={without_secrets(url)} holds a password or key, which would be stored "
            "with every trial; leave it out and set it in the environment: AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY for s3, GOOGLE_APPLICATION_CREDENTIALS for gs, "
            "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET for abfs, or as the store's "
            "library says."
        )


def without_secrets(url: str) -> str:
    """Return a URL without passwords and keys: `s3://***@bucket/path?secret_key=***`."""
    if "://" not in url:
        return url
    bare = _USER_AND_PASSWORD.sub("***@", url)
    head, *parameters = re.split("[?#]", bare)
    for name, value in parse_qsl("&".join(parameters)):
        if value and _SECRET_PARAMETER.search(name):
            return f"{head}?***"
    return bare


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


def ask_store(url: str, work: Callable[[], T], wait: bool) -> T:
    """Return what some work on a store returns.

    Args:
      url: of the store.
      work: may be done again after it failed midway.
      wait: whether to try again where the store does not answer (see `sweeps.io.retry`).

    Raises:
      UserError: the store fails.
      StoreAwayError: it does not answer.
    """
    with user_errors(url):
        if wait:
            return retry(work, is_away, store_name(url))
        result = work()
        tell_back(store_name(url))
        return result


def store_name(url: str) -> str:
    """Return how words to the user name a store."""
    return f"The store {url}"


class StoreAwayError(UserError):
    """A store that does not answer, and may do so later."""


_AWAY = re.compile(
    r"connect|network|resolve host|unreachable|timed? ?.?out|deadline|temporar|unavailable|"
    r"slow.?down|throttl|too many requests|internal.?(failure|error)|request.?timeout|"
    r"transport|broken pipe|reset by peer|curlCode|(http|status|code|error)\W{0,3}(429|50[0234])\b",
    re.I,
)
"""Texts of errors that a store or the network to it gives for a while."""
_REFUSED = re.compile(
    r"access.?denied|forbidden|credential|unauthori[sz]ed|unauthenticated|permission.?denied|"
    r"invalid.?access.?key|signature|\b40[13]\b",
    re.I,
)
_MISSING = re.compile(r"no.?such.?bucket|bucket.*(not|n't) exist|not.?found|\b404\b", re.I)


def is_away(error: Exception) -> bool:
    """Return whether a store's error says that it does not answer for now.

    Refused access, a bucket that does not exist and a bad URL are no such errors. The libraries of
    stores have types of their own; all of them give a text that says what happened.
    """
    text = f"{type(error).__name__} {error}"
    if isinstance(
        error, UserError | ImportError | ValueError | PermissionError | FileNotFoundError
    ):
        return False
    if isinstance(error, TimeoutError | ConnectionError) or disk_passes(error):
        return True
    if _REFUSED.search(text) or _MISSING.search(text):
        return False
    return getattr(error, "errno", None) is None and _AWAY.search(text) is not None


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
        kind = StoreAwayError if is_away(error) else UserError
        raise kind(_unreachable(url, error)) from error


def _unreachable(url: str, error: Exception) -> str:
    text = first_line(error)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return f"output_dir={url} is full ({text}); free some space there."
    if isinstance(error, PermissionError) or _REFUSED.search(str(error)):
        return f"output_dir={url} refuses access ({text}); check your credentials and their rights."
    return (
        f"output_dir={url} cannot be reached ({text}); check its name, this machine's network and "
        "that the bucket or server exists. The same command goes on from what is there."
    )
