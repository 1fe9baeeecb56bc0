"""HTML pages that work from disk, without a network.

A page holds all its scripts, styles and data. Its content security policy forbids the browser to
fetch anything.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

from sweeps.errors import UserError
from sweeps.io.atomic import write_text

CONTENT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
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


def render(template: str, title: str, data: Any, policy: str = CONTENT_POLICY, **parts: str) -> str:
    """Return the text of a page.

    Args:
      template: what follows the title, from the style on. {{title}}, {{data}} and the names of
        `parts` in double braces are replaced.
      title: plain text, not HTML.
      data: value for a script element of type application/json.
      policy: content security policy.
      **parts: name -> text that is inserted as it is.

    Raises:
      ValueError: the data hold NaN or an infinity, which JSON lacks.
    """
    parts |= {"title": html.escape(title), "data": json_for_script(data), "policy": policy}
    # One pass: an inserted text is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _HEAD + template)


def json_for_script(data: Any) -> str:
    """Return JSON text that can stand within a script element.

    Raises:
      ValueError: the data hold NaN or an infinity, which JSON lacks.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def write_page(path: Path, text: str, option: str) -> None:
    """Write the file of a page.

    Args:
      path: the file; its folder exists.
      text: the page's text.
      option: command-line option that gave the path, for the error's text.

    Raises:
      UserError: the file cannot be written.
    """
    try:
        write_text(path, text)
    except UserError as error:
        reason = getattr(error.__cause__, "strerror", None) or "it cannot be written"
        raise UserError(f"cannot write {path} ({reason}); give {option} another place.") from error
