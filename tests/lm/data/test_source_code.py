"""Source code as a text."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lm.config import DataConfig
from lm.data.corpora import open_corpus
from sweeps.errors import UserError

Options = Callable[..., DataConfig]


def write(folder: Path, **files: str) -> None:
    """Files by name, a double underscore for each folder and a single one for the suffix."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__"))
        path = path.with_name(path.name.replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(config: DataConfig) -> list[str]:
    return [path.name for path in open_corpus(config).files()]


def test_the_language_is_taken_of_which_there_is_more(tmp_path: Path, options: Options) -> None:
    write(tmp_path / "both", a_c="int a;\n", deep__b_h="int b;\n", c_py="c = 1\n", d_txt="d\n")
    write(tmp_path / "python", c_py="c = 1\n", test__d_c="int d;\n", test__e_py="e\n", f_txt="f\n")
    assert sorted(names(options("code", root=str(tmp_path / "both")))) == ["a.c", "b.h"]
    assert names(options("code", root=str(tmp_path / "python"))) == ["c.py"]
    assert open_corpus(options("code", root=str(tmp_path / "python"))).read().train == "c = 1\n"


def test_the_text_is_the_same_wherever_the_folder_lies(tmp_path: Path, options: Options) -> None:
    files = {f"f{n}_c": f"int f{n};\n" for n in range(20)}
    write(tmp_path / "one", **files)
    write(tmp_path / "other" / "place", **dict(reversed(files.items())))
    roots = [str(tmp_path / "one"), str(tmp_path / "other" / "place")]
    one, other = (open_corpus(options("code", root=root)).read() for root in roots)
    assert one == other
    assert names(options("code", root=roots[0])) != sorted(names(options("code", root=roots[0])))


def test_so_many_characters_are_read_and_no_more(tmp_path: Path, options: Options) -> None:
    write(tmp_path, a_c="int a;\n", b_c="int b;\n")
    whole = open_corpus(options("code", root=str(tmp_path))).read().train
    assert len(whole) == 14
    for count in (1, 7, 9, 14, 99):
        part = open_corpus(options("code", root=str(tmp_path), characters=count)).read().train
        assert part == whole[:count]
    text = str(tmp_path / "a.c")
    assert open_corpus(options("text", files=[text], characters=3)).read().train == "int"


def test_files_that_are_named_come_first_to_last_and_have_to_be_sound(
    tmp_path: Path, options: Options
) -> None:
    write(tmp_path, b_c="int b;\n", a_py="a = 1\n", folder__c_c="int c;\n")
    (tmp_path / "folder" / "bad.c").write_bytes(b"x\xfe\xff")
    places = [str(tmp_path / name) for name in ("b.c", "a.py", "folder")]
    assert open_corpus(options("code", files=places)).read().train == "int b;\na = 1\nint c;\n"
    with pytest.raises(UserError, match=r"bad\.c is not UTF-8"):
        open_corpus(options("code", files=[str(tmp_path / "folder" / "bad.c")])).read()


def test_a_folder_without_sources_is_refused(tmp_path: Path, options: Options) -> None:
    write(tmp_path, a_txt="a\n")
    with pytest.raises(UserError, match="has no C or Python sources in it"):
        open_corpus(options("code", root=str(tmp_path))).read()


def test_by_default_it_is_the_standard_library(options: Options) -> None:
    config = options("code", characters=10_000)
    assert len(names(config)) > 200
    assert len(open_corpus(config).read().train) == 10_000
