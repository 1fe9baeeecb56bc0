"""Every block of code of the documents runs as it is printed, on small models and short texts."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.tensorboard import browser
from tests.docs.documents import PAGES, ROOT, Block, blocks
from tests.lm.helpers.corpora import write_corpora
from tests.sweeps.helpers.ray_process import ray_process

NOT_RUN = {
    r"python -m benchmarks\.": "takes minutes to hours; tests/benchmarks has a test of each",
    r"cd lm/gradient_flow/plugin/page && npm ": "installs packages, and changes the source",
    r"iconv |gunzip ": "tests/lm/data/test_file_kinds.py runs the commands that a refusal gives",
    r"python -m lm\.\w+ outputs/single/NAME --(root|files) ": "see tests/lm/test_moved_text.py",
    r"pip install .* && pytest$": "installs packages; it is .ci/run",
    r"python train.py .*gpus_per_trial": "needs a GPU",
    r"export RAY_AUTH_MODE|ray |.*ray.address=": "needs a cluster; composed like all others",
    r"sweeps |eval ": "needs the console scripts; tests/sweeps/cli runs each of these commands",
    r"head=\$\(|srun |trap |wait |kubectl ": "needs Slurm or Kubernetes",
}
"""How a command begins that is not run here -> why."""

ELSEWHERE = {
    ("README.md", "python -m scripts.sherlock_study run"): "docs/sherlock.md",
    ("README.md", "python -m lm.sweep +sweep=gradient_flow"): "docs/gradient_flow.md",
    ("README.md", "python -m lm.sweep +sweep=plateau data=sherlock"): "docs/plateau.md",
    ("README.md", "python -m lm.sweep +sweep=ptb_sizes data.root=DIR"): "docs/ptb.md",
}
"""Page and command -> the page on which the same command is run, for it takes long."""

LISTINGS = (
    r"#\s+(embed_size|lr)\s",  # tables of trials
    r"lm/ |outputs/",  # folders
    r"finished after ",  # a single run
    r"Code, packages, machine: as recorded\.",
    r"run(: walking|\n)|\s+asked\s",  # lm.vectors
    r"<lm\.Model ",
    r"G\[t, j\] = ",  # equations
)
"""How a block begins that shows files or what was printed."""

FILE = re.compile(r"# (\S+\.(?:py|yaml))\n")
"""How a block begins that is a file of the reader's."""

BLOCKS = [block for page in PAGES for block in blocks(page)]


def reason(command: str) -> str | None:
    """Why a command is not run here; None: it is."""
    return next((why for begin, why in NOT_RUN.items() if re.match(begin, command)), None)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_block_is_of_a_kind_that_is_run_or_known(block: Block) -> None:
    if block.language not in ("shell", "python") and not FILE.match(block.text):
        assert any(re.match(begin, block.text) for begin in LISTINGS), block.text


def test_what_is_not_run_is_there() -> None:
    """An exception that nothing needs is one too many."""
    every = [line for block in BLOCKS if block.language == "shell" for line in block.commands()]
    for begin in NOT_RUN:
        assert any(re.match(begin, line) for line in every), begin
    for begin in LISTINGS:
        assert any(re.match(begin, block.text) for block in BLOCKS), begin


def bare(line: str) -> str:
    """Return a command without the comment that follows it."""
    return line.split("  #")[0].rstrip()


def test_what_is_run_elsewhere_is_there() -> None:
    printed = {
        (block.page, bare(line))
        for block in BLOCKS
        if block.language == "shell"
        for line in block.commands()
    }
    for (page, line), other in ELSEWHERE.items():
        assert page != other
        assert {(page, line), (other, line)} <= printed


def test_every_benchmark_has_a_test() -> None:
    for path in ROOT.glob("benchmarks/*.py"):
        if path.stem != "__init__":
            assert (ROOT / f"tests/benchmarks/test_{path.stem}.py").is_file(), path


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of the commands: `python` makes them small, corpora are there, so is Ray."""
    folder = tmp_path_factory.mktemp("documents")
    tools, cache = folder / "bin", folder / "cache" / "lm-sweeps"
    tools.mkdir()
    for name, line in (
        ("python", f'exec "{sys.executable}" "{ROOT}/tests/docs/small.py" "$@"'),
        ("pip", "exit 0"),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    for name in ("sherlock", "ptb"):
        write_corpora(cache / name, stories=12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("PYTHONPATH", str(ROOT))
        with ray_process() as (address, _):
            search = f"{tools}{os.pathsep}{os.environ['PATH']}"
            yield {**os.environ, "PATH": search, "RAY_ADDRESS": address, "COLUMNS": "200"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, surroundings: dict[str, str]) -> Path:
    """What the documents take as given: a folder of texts, a text, two trained models."""
    folder = tmp_path_factory.mktemp("reader")
    write_corpora(folder / "DIR", stories=12)
    shutil.copy(folder / "DIR" / "asked.txt", folder / "FILE")
    for name in ("scripts", "examples"):
        (folder / name).symlink_to(ROOT / name)
    run("python -m lm.train name=NAME", folder, surroundings)
    for name in ("TRIAL", "OTHER"):
        shutil.copytree(folder / "outputs/single/NAME", folder / "outputs/SWEEP" / name)
    trained = "python -m lm.vectors outputs/single/NAME --table embedding --export vectors.bin"
    run(trained, folder, surroundings)
    return folder


def run(line: str, folder: Path, environment: dict[str, str]) -> None:
    """Run a line in a shell; look up the fingerprint of a trial."""
    line = re.sub(r"(outputs/\S*)\bid=[0-9a-f]{6}\b", r"$(ls -d \1id=* | head -n 1)", line)
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}"
    assert "Traceback" not in done.stdout, f"{line}\n{done.stdout}"
    assert " failed" not in done.stdout, f"{line}\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, reader: Path, surroundings: dict[str, str]
) -> None:
    folder = tmp_path / "page"
    shutil.copytree(reader, folder, symlinks=True)
    for block in blocks(page):
        if found := FILE.match(block.text):
            (folder / found[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / found[1]).write_text(block.text)
        elif block.language == "python":
            run(f"python -c '{block.text}'", folder, surroundings)
        elif block.language == "shell":
            for line in block.commands():
                command = bare(line)
                if reason(line) or (block.page, command) in ELSEWHERE:
                    continue
                if not (command in PICTURES and browser.missing()):
                    run(SPECIAL.get(command, line), folder, surroundings)


PICTURES = ("python -m scripts.sherlock_study figures",)
"""Commands that draw in a browser, which a machine may lack."""

SPECIAL = {
    "python -m scripts.sherlock_study figures": (
        f"cp -r {ROOT}/docs . && python -c 'from pathlib import Path; "
        "from scripts.sherlock_study import __main__ as study; "
        'study.DOCUMENT = Path("docs/sherlock.md"); exit(study.main(["figures"]))\''
    ),
    "python scripts/gradient_flow_findings.py outputs/gradient_flow/*": (
        "python -c 'from scripts import gradient_flow_findings as findings; "
        "findings.EARLY, findings.LATE = 100, 100; findings.main()' outputs/gradient_flow/*"
    ),
}
"""Commands that would change the source, or need as many updates as only a long training has."""
