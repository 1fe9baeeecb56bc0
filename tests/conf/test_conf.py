"""Every configuration file composes and types; every option has a default and is read."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lm.config import CONFIG_DIR, Config, parse_config, register
from lm.vectors import config as vectors
from sweeps import hydra_sweeper
from sweeps.config import (
    CustomSchedulerConfig,
    FrameworkConfig,
    SearchConfig,
    parse_framework_config,
)
from sweeps.errors import UserError
from sweeps.search import space
from sweeps.search.samplers import all_settings

ROOT = Path(__file__).parents[2]
SWEEPS = sorted(path.stem for path in CONFIG_DIR.glob("sweep/*.yaml"))
TEXT = "data=text", "data.files=[a.txt]"  # the only corpus without files of its own

Compose = Callable[..., DictConfig]


@pytest.fixture(scope="module")
def compose() -> Compose:
    register()
    hydra_sweeper.register()

    def make(*overrides: str, hydra_node: bool = False) -> DictConfig:
        with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            return hydra.compose(
                "config", overrides=list(overrides), return_hydra_config=hydra_node
            )

    return make


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


def check(config: DictConfig) -> Config:
    assert not OmegaConf.missing_keys(config)
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    return parse_config({str(key): value for key, value in values.items()})


def test_groups_are_those_that_are_tested() -> None:
    files = {path.relative_to(CONFIG_DIR).parts[0] for path in CONFIG_DIR.rglob("*.yaml")}
    groups = {"data", "experiment", "optimizer", "scheduler", "search", "sweep", "vectors"}
    assert files == {"config.yaml", *groups}


@pytest.mark.parametrize("name", choices("data"))
def test_data_composes_and_types(compose: Compose, name: str) -> None:
    files = TEXT[1:] if name == "text" else ()
    assert check(compose(f"data={name}", *files)).data.name == name


@pytest.mark.parametrize("name", choices("optimizer"))
def test_optimizer_composes_and_types(compose: Compose, name: str) -> None:
    kind = {"sgd": "momentum", "sherlock_momentum": "momentum"}.get(name, name)
    assert check(compose(f"optimizer={name}")).optimizer.kind == kind


@pytest.mark.parametrize("name", choices("experiment"))
def test_experiment_composes_and_types(compose: Compose, name: str) -> None:
    assert check(compose(f"+experiment={name}")) != check(compose())


def test_models_of_word_vectors_compose_and_type() -> None:
    names = choices("vectors")
    models = vectors.compose_models([f"+vectors=[{','.join(names)}]"])
    assert list(models) == names
    assert not any(OmegaConf.missing_keys(OmegaConf.structured(one)) for one in models.values())


@pytest.mark.parametrize("name", choices("vectors"))
def test_file_of_word_vectors_opens_with_its_package(name: str) -> None:
    lines = (CONFIG_DIR / "vectors" / f"{name}.yaml").read_text().splitlines()
    assert lines[0] == f"# @package vectors.{name}"
    assert lines[1].startswith("# ")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("+vectors=glove", "+vectors=glove is not known; choose of cbow, skipgram, window."),
        ("vectors.cbow.windw=8", "Key 'windw' not in"),
        ("vectors.cbow.window=wide", "'wide' of type 'str' could not be converted"),
        ("vectors.cbow.window=0", "vectors.cbow.window=0 is out of range"),
        ("vectors.skipgram.window=8", "Could not override 'vectors.skipgram.window'"),
        ("+vectors@vectors.output=cbow", "vectors.output has the name of a table of the trial's"),
        ("vectors.cbow.learning_rate=0.00001", "final_learning_rate=0.0001 is above"),
    ],
)
def test_wrong_option_of_word_vectors_is_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)) as error:
        vectors.compose_models(["+vectors=cbow", override])
    assert "\n" not in str(error.value)


def framework(config: DictConfig) -> FrameworkConfig:
    sections = [field.name for field in dataclasses.fields(FrameworkConfig)]
    return parse_framework_config(OmegaConf.masked_copy(config, sections))


@pytest.mark.parametrize("name", choices("search"))
def test_search_composes_and_types(compose: Compose, name: str) -> None:
    config = compose(f"search={name}", "search.trials=3")
    assert check(config).search.kind == name
    assert framework(config).search.kind == name


@pytest.mark.parametrize("name", sorted({*choices("scheduler")} - {"custom"}))
def test_scheduler_composes_and_types(compose: Compose, name: str) -> None:
    config = compose(f"scheduler={name}")
    assert check(config).scheduler == framework(config).scheduler
    assert framework(config).scheduler.kind == name


def test_scheduler_of_ones_own_composes_and_types(compose: Compose) -> None:
    given = "scheduler.kind=my.Scheduler", "scheduler.arguments={a:1,b:[x]}"
    config = compose("scheduler=custom", *given)
    found = CustomSchedulerConfig(
        kind="my.Scheduler", time="time/epoch", arguments={"a": 1, "b": ["x"]}
    )
    assert check(config).scheduler == framework(config).scheduler == found
    with pytest.raises(UserError, match="scheduler=custom needs a dotted path"):
        framework(compose("scheduler=custom"))


@pytest.mark.parametrize("name", SWEEPS)
def test_every_trial_of_a_sweep_composes_and_types(compose: Compose, name: str) -> None:
    config = compose(f"+sweep={name}", hydra_node=True)
    assert config.hydra.mode == RunMode.MULTIRUN
    params = [
        space.param_override(key, value) for key, value in config.hydra.sweeper.params.items()
    ]
    parse = OverridesParser.create().parse_overrides
    found = space.build_space(parse(params), parse([f"+sweep={name}"]))
    grid = all_settings(found, SearchConfig("grid", None, 0))
    trials = [[value.override for value in setting] for setting in grid]
    assert len(trials) > 1
    typed_trials = {repr(check(compose(*found.fixed, *trial))) for trial in trials}
    assert len(typed_trials) == len(trials)


@pytest.mark.parametrize(("name", "trials"), [("layer_grid", 8), ("learning_rate", 6)])
def test_sweeps_have_the_trials_that_the_readme_names(name: str, trials: int) -> None:
    params = yaml.safe_load((CONFIG_DIR / "sweep" / f"{name}.yaml").read_text())["hydra"]
    counts = [len(values.split(",")) for values in params["sweeper"]["params"].values()]
    product = 1
    for count in counts:
        product *= count
    assert product == trials


GLOBAL = [*CONFIG_DIR.glob("sweep/*.yaml"), *CONFIG_DIR.glob("experiment/*.yaml")]


@pytest.mark.parametrize("path", GLOBAL, ids=lambda path: path.stem)
def test_file_of_many_sections_opens_with_its_package(path: Path) -> None:
    """After any other comment Hydra ignores the line, silently."""
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ")


@pytest.mark.parametrize(
    "path", [path for path in CONFIG_DIR.rglob("*.yaml") if path not in GLOBAL]
)
def test_config_file_opens_with_what_it_is(path: Path) -> None:
    assert path.read_text().startswith("# ")


def test_every_option_has_a_default(compose: Compose) -> None:
    assert not OmegaConf.missing_keys(compose())


def options(schema: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(schema):
        if kinds := field.metadata.get("kinds"):
            for kind in kinds.values():
                yield from options(kind, f"{prefix}{field.name}.")
        elif dataclasses.is_dataclass(field.type):
            assert isinstance(field.type, type)
            yield from options(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


EVERY = tuple(dict((*options(Config), *options(vectors.Word2VecConfig, "vectors.NAME."))).items())


@pytest.mark.parametrize("key", [key for key, _ in EVERY])
def test_every_option_is_read(key: str) -> None:
    """As an attribute, or by its name in quotes, in a file other than its schema's."""
    schema = (
        "sweeps/config/options.py",
        "lm/config/schema.py",
        "lm/config/schema.py",
        "lm/config/validate.py",
    )
    schemas = {ROOT / path for path in (*schema, "lm/vectors/config.py")}
    files = {*ROOT.glob("lm/**/*.py"), *ROOT.glob("sweeps/**/*.py")} - schemas
    name = key.rpartition(".")[2]
    pattern = re.compile(rf"""\.{name}\b|\[["']{name}["']\]""")
    assert any(pattern.search(path.read_text()) for path in files), f"nothing reads {key}"


def test_every_option_has_its_meaning() -> None:
    for key, field in EVERY:
        assert field.metadata["meaning"], key
