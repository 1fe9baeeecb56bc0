"""`+vectors=NAME`: word vectors that are trained beside a model's own, as options of gensim's.

The defaults of each model stand in `conf/vectors/`, composed by themselves: they belong to the
command that looks at vectors, not to what a trial computes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from omegaconf import OmegaConf

from lm.config import CONFIG_DIR
from sweeps.config import check_ranges, option
from sweeps.errors import UserError

NONE = "none"
"""The table of a trial where only what is trained beside it is wanted."""

SCHEMA = "vectors_root"
"""The name under which Hydra finds the schema, which is the root of this configuration."""

_OWN = ("embedding", "output")

_OVERRIDE = re.compile(r"(\+{0,2}|~)vectors([@.][\w.@-]*)?=")
"""An argument of Hydra's; other arguments are paths and words to look up."""


@dataclass
class Word2VecConfig:
    """`vectors.NAME`: a model of gensim's `Word2Vec` (Mikolov et al. 2013)."""

    algorithm: str = option(
        "skipgram: a word predicts each of those around it; cbow: those around it, added up, "
        "predict the word",
        choices=("skipgram", "cbow"),
    )
    window: int = option(
        "how far around a word, to either side", unit="words", at_least=1, at_most=10_000
    )
    shrink_windows: bool = option(
        "whether each word's window is drawn anew from 1 to `window`, so that near words count more"
    )
    cbow_mean: bool = option(
        "cbow: whether the mean of the vectors around a word predicts it, or their sum"
    )
    negative: int = option("noise words that each prediction is compared with", at_least=1)
    noise_exponent: float = option(
        "noise words are drawn by their count to this power; 1: as they occur, 0: all alike",
        at_least=-1,
        at_most=1,
    )
    sample: float = option(
        "of words whose share of the text is above it, occurrences are left out at random in each "
        "pass, the more the larger the share: the share p is kept with probability "
        "sqrt(sample / p) + sample / p; 0: none is left out",
        at_least=0,
        below=1,
    )
    learning_rate: float = option("step size of the first update", above=0)
    final_learning_rate: float = option(
        "that of the last update; it falls linearly between the two", above=0
    )
    embed_size: int | None = option(
        "width of the vectors; null: the trial's model.embed_size", unit="units", at_least=1
    )
    epochs: int | None = option(
        "passes over the training text; null: as many as the trial has finished", at_least=1
    )
    seed: int | None = option(
        "source of everything random; null: the trial's seed", at_least=0, at_most=2**32 - 1
    )


@dataclass
class VectorsConfig:
    """Root of the options: word2vec models by the names of their tables."""

    vectors: dict[str, Word2VecConfig] = field(default_factory=dict)


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into arguments that are not Hydra overrides, and those that are."""
    overrides = [argument for argument in arguments if _OVERRIDE.match(argument)]
    return [argument for argument in arguments if argument not in overrides], overrides


def compose_models(overrides: Sequence[str]) -> dict[str, Word2VecConfig]:
    """Turn overrides such as `+vectors=[skipgram,cbow] vectors.cbow.window=8` into models by name.

    Raises:
      UserError: a model or an option is unknown, or a value does not fit it.
    """
    import hydra
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    ConfigStore.instance().store(name=SCHEMA, node=VectorsConfig)
    try:
        with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            found = OmegaConf.to_object(hydra.compose(SCHEMA, overrides=list(overrides)))
    except MissingConfigException as error:
        names = ", ".join(sorted(path.stem for path in (CONFIG_DIR / "vectors").glob("*.yaml")))
        wrong = str(error.missing_cfg_file).rpartition("/")[2]
        raise UserError(f"+vectors={wrong} is not known; choose of {names}.") from error
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        lines = [str(one).splitlines() for one in (error, error.__cause__) if one is not None]
        what = ": ".join(first[0].rstrip(".") for first in lines if first)
        raise UserError(
            f"{what}; models are chosen as in '+vectors=[skipgram,cbow]', and their "
            "options set as in vectors.skipgram.window=8."
        ) from error
    assert isinstance(found, VectorsConfig)
    for name, model in found.vectors.items():
        if name in _OWN:
            raise UserError(f"vectors.{name} has the name of a table of the trial's; give another.")
        check_ranges(model, f"vectors.{name}.")
        if model.final_learning_rate > model.learning_rate:
            raise UserError(
                f"vectors.{name}.final_learning_rate={model.final_learning_rate} is above "
                f"vectors.{name}.learning_rate={model.learning_rate}; it falls, so lower the one "
                "or raise the other."
            )
    return found.vectors
