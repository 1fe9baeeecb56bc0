"""Fills the generated parts of docs/sherlock.md, which stand between two marks.

<!-- figures: momentum -->
...
<!-- end -->
"""

import re
from collections.abc import Mapping

_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Put each part between its marks; what stands there is replaced.

    Raises:
      ValueError: the document lacks the marks of a part, or has marks of none.
    """
    marked = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(marked) != sorted(parts):
        raise ValueError(f"the document has marks of {marked}, and there is {list(parts)}")
    return _BLOCK.sub(lambda block: f"{block[1]}\n{parts[block[2]]}\n\n{block[3]}", text)
