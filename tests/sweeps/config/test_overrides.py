"""Unknown names are refused with the one that was meant, values of wrong types with the reason; all
else passes to Hydra."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sweeps.config import check_overrides
from sweeps.errors import UserError


@dataclass
class Shape:
    width: int = 1
    layers: int = 1


@dataclass
class Options:
    shape: Shape = field(default_factory=Shape)
    rate: float = 0.1
    names: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    for name in ("grid", "random", "wide", "width-0.5"):
        (tmp_path / "sweep").mkdir(exist_ok=True)
        (tmp_path / "sweep" / f"{name}.yaml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("shape.widht=3", "shape.widht is no option; did you mean shape.width?"),
        ("width=1,2", "width is no option; did you mean shape.width?"),
        ("shape.w=1", "shape.w is no option; shape has width, layers."),
        ("colour=1", "colour is no option; with --cfg job the command prints all there are."),
        ("+swep=grid", "swep is no option; did you mean sweep?"),
        ("layer=1", "layer is no option; did you mean shape.layers?"),
        ("+shape.colour=1", "shape.colour is no option; shape has width, layers."),
        ("rate.x=range(1,3)", "rate.x is no option; "),
        ("shape.width=wide", "shape.width=wide does not fit: Value 'wide' of type 'str' could not"),
        (
            "shape.width=1,2.5",
            "shape.width=2.5 does not fit: Value '2.5' of type 'float' could not",
        ),
        ("rate=null", "rate=null does not fit: field 'rate' is not Optional."),
        ("shape={width: wide}", "shape={'width': 'wide'} does not fit: Value 'wide'"),
        ("+sweep=girds", "sweep=girds is not known; did you mean grid?"),
        (
            "+sweep=grid,narrow",
            "sweep=narrow is not known; choose one of grid, random, wide, width-0.5.",
        ),
        ("+sweep=[grid,randm]", "sweep=randm is not known; did you mean random?"),
        ("~rate", "~rate takes away what every run needs; leave it out."),
        ("~shape", "~shape takes away what every run needs; leave it out."),
        ("rate=[1", "rate=[1 cannot be read; "),
    ],
)
def test_slips_are_refused_in_one_sentence(config_dir: Path, argument: str, sentence: str) -> None:
    with pytest.raises(UserError) as error:
        check_overrides(["rate=0.2", argument], config_dir, Options)
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "shape.width=1,2",
            "rate=interval(0,1)",
            "shape.layers=range(1,4)",
            "rate='0.1','0.2'",
            "shape={width: 3}",
            "++rate=1",
        ],
        [
            "+sweep=grid",
            "sweep=glob(*)",
            "sweep=${rate}",
            "sweep=grid.yaml",
            "sweep=width-0.5",
            "sweep=null",
        ],
        ["+extra.any.thing=1", "~rat", "~sweep", "hydra.verbose=true", "hydra/launcher=none"],
        ["--cfg=job", "--multirun", "-m", "rate=1"],
        [
            "rate=${shape.width}",
            "names=[a,'b c']",
            "names=[a],['b']",
            "rate=tag(log,interval(1,2))",
        ],
        ["--config-dir=mine", "+sweep=mine"],
        ["-cd=mine", "mine.x=1"],
        ["hydra.searchpath=[mine]", "+sweep=mine"],
    ],
)
def test_what_hydra_takes_or_tells_better_passes(config_dir: Path, arguments: list[str]) -> None:
    check_overrides(arguments, config_dir, Options)
