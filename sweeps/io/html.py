"""HTML pages that work from disk, without a network: everything they need stands in them.

Nothing in such a page may fetch anything: its content security policy says so to the browser.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.atomic import write_text

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{policy}}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{title}}</title>
<link rel="icon" href="data:,">
"""


def render(frame: str, title: str, data: Any, policy: str = POLICY, **parts: str) -> str:
    """A page's text.

    Args:
      frame: what follows the title, from the style on; {{title}}, {{data}} and the names of
        `parts` stand for their texts.
      title: plain text.
      data: for a script element of type application/json.
      policy: content security policy.
      **parts: text that is put in as it is.

    Raises:
      ValueError: the data have a number that JSON lacks.
    """
    parts |= {"title": html.escape(title), "data": json_for_script(data), "policy": policy}
    # One pass: what is put in is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _HEAD + frame)


def json_for_script(data: Any) -> str:
    """JSON that can stand within a script element.

    Raises:
      ValueError: it has a number that JSON lacks.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def write_page(path: Path, text: str, option: str) -> None:
    """Write a page.

    Args:
      path: the file; its folder exists.
      text: the page's.
      option: of the command line that gave the path, for the message.

    Raises:
      UserError: the file cannot be written.
    """
    try:
        write_text(path, text)
    except UserError as error:
        reason = getattr(error.__cause__, "strerror", None) or "it cannot be written"
        raise UserError(f"cannot write {path} ({reason}); give {option} another place.") from error
