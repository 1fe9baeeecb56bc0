"""The whole configuration: what is computed (`lm.options`), what is shown, how trials run.

The defaults stand in `conf/`, one file for one choice; this is their schema. Hydra rejects unknown
keys and wrong types against it; `typed` checks ranges and combinations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue

from lm.checks import check
from lm.options import (
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
    option,
)
from sweeps.errors import UserError
from sweeps.options import RayOptions, SchedulerOptions, SearchOptions, SweepOptions

_packaged = Path(__file__).parent / "conf"  # where a wheel carries conf/
CONFIG_DIR = _packaged if _packaged.is_dir() else Path(__file__).parents[1] / "conf"


@dataclass(unsafe_hash=True)
class LogConfig:
    """`log`: what a run shows beside its metrics; none of it changes what is trained."""

    histogram_every: int = option(
        "updates between two looks inside: histograms of activations, parameters and gradients, "
        "norms, saturation; 0: none",
        unit="updates",
        at_least=0,
    )
    graph: bool = option("whether the model is drawn")
    sample_words: int = option(
        "length of the text that is generated at each evaluation; 0: none",
        unit="tokens",
        at_least=0,
    )
    sample_prompt: str | None = option("what it begins with; null: as the validation text does")
    sample_temperature: float = option(
        "logits are divided by it; 0: always the likeliest word", at_least=0
    )
    embedding_words: int = option(
        "most frequent words whose vectors are kept for the projector; 0: none",
        unit="words",
        at_least=0,
    )
    scalars_every: int | None = option(
        "updates between two points of the curves of loss and gradient norm, each the mean of so "
        "many; null: a point a report (train.report_every)",
        unit="updates",
        at_least=1,
    )
    vector_scores: bool = option(
        "whether each evaluation asks the word vectors what people answered: similarity of pairs "
        "(SimLex-999, WordSim-353) and analogies"
    )


@dataclass(unsafe_hash=True)
class GradientFlowConfig:
    """`gradient_flow`: itemised gradients for TensorBoard's tab; none of it changes training."""

    every: int | None = option(
        "updates between two recorded batches, each at the first report from then on; null: none "
        "are recorded",
        unit="updates",
        at_least=1,
    )
    batch_items: int = option("recorded of a batch: its first ones", unit="sequences", at_least=1)
    horizon: int | None = option(
        "how far back from each loss its gradient is told apart; null: all the way",
        unit="steps",
        at_least=1,
    )
    units: bool = option("whether each unit's part is recorded, too")
    records: int | None = option(
        "most batches recorded in a run, spread evenly over it; null: any number",
        unit="batches",
        at_least=1,
    )


@dataclass(unsafe_hash=True)
class Config:
    """The root; the keys of `RUN_ONLY` do not change what a run computes."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    log: LogConfig = field(default_factory=LogConfig)
    gradient_flow: GradientFlowConfig = field(default_factory=GradientFlowConfig)
    sweep: SweepOptions = field(default_factory=SweepOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    ray: RayOptions = field(default_factory=RayOptions)
    seed: int = option("source of everything random", at_least=0, at_most=2**32 - 1)
    output_dir: str = option("root of all results")
    name: str | None = option("folder of a single run; null: made from its overrides")
    fresh: bool = option("start a finished single run again; its old folder is moved aside")


RUN_ONLY = (
    *("output_dir", "name", "fresh", "log", "gradient_flow"),
    *("sweep", "search", "scheduler", "ray"),
)
"""Keys of the root that do not change what a run computes."""

_LATER: dict[str, Any] = {"log": {"vector_scores": False, "scalars_every": None}}
"""Options among them that a folder of an earlier version may lack, and what it did without."""


def register() -> None:
    """Make the schema known to Hydra as `schema`; call it before composing."""
    ConfigStore.instance().store(name="schema", node=Config)


def typed(values: Mapping[str, Any]) -> Config:
    """Check a composed configuration and give it its types.

    Raises:
      UserError: an option is missing, unknown, out of its range, or does not fit the others.
    """
    try:
        config = OmegaConf.to_object(OmegaConf.merge(_schema(), _LATER, values))
    except (MissingMandatoryValue, ConfigKeyError) as error:
        what = "has no value" if isinstance(error, MissingMandatoryValue) else "is no option"
        raise UserError(
            f"{error.full_key} {what}: the configuration is one of another version of this "
            "program; use that version, for a trial the commit in its provenance.json."
        ) from error
    assert isinstance(config, Config)
    check(config)
    return config


@cache
def _schema() -> DictConfig:
    """The schema, of which merging makes copies; to build it takes longer than to fill it."""
    schema = OmegaConf.structured(Config)
    assert isinstance(schema, DictConfig)
    return schema
