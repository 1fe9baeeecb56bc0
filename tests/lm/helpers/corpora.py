"""Every corpus that has files of its own, cut down to a few thousand words."""

from pathlib import Path

from lm.data.corpora import LEE_FILE, PTB_FILES
from lm.data.gutenberg import SHERLOCK
from lm.data.text_files import gensim_folder
from tests.lm.helpers.benchmark_words import write_text

LINE = "my dear holmes , mr watson had a run as he has and was , and it is so .\n"
"""Words that the documents ask about."""


def write_corpora(folder: Path, stories: int = 30) -> Path:
    """Write the files of all corpora into one folder, so that `data.root` may be it for each.

    All are made of the first stories of the Lee Background Corpus, which comes with gensim. The
    words that benchmarks of word vectors ask about are in each.

    Args:
      folder: where to write; made if it is not there.
      stories: of which the texts are made, one a line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = gensim_folder(LEE_FILE)
    assert source
    lines = (source / LEE_FILE).read_text(encoding="utf-8").splitlines(keepends=True)[:stories]
    asked = write_text(folder / "asked.txt", words=300).read_text()
    third = len(lines) // 3
    parts = [LINE * 3 + asked + "".join(lines[at * third : (at + 1) * third]) for at in range(3)]
    for book, text in zip(SHERLOCK, parts, strict=True):
        (folder / book.filename).write_text(f"*** START\n{text}*** END\n", encoding="utf-8")
    for name, text in zip(PTB_FILES, ("".join(parts), *parts[1:]), strict=True):
        (folder / name).write_text(f"{text}<unk> said so\n".lower(), encoding="utf-8")
    (folder / LEE_FILE).write_text("".join(parts), encoding="utf-8")
    return folder
