"""The configuration as dataclasses: type, unit, meaning and range of every option.

The defaults stand in `conf/`, one file for one choice.
"""

from dataclasses import dataclass, field
from typing import Any

from sweeps.config.options import (
    SCHEDULERS,
    RayConfig,
    SchedulerConfig,
    SearchConfig,
    SweepConfig,
)
from sweeps.config.schema import option, section


@dataclass(unsafe_hash=True)
class DataConfig:
    """`data`: which text, and how it becomes ids."""

    name: str = option("corpus", choices=("lee", "sherlock", "ptb", "text", "code"))
    root: str | None = option("folder that holds the corpus' files; null: embedded or cached copy")
    files: list[str] = option(
        "text files, read in this order (`data=text`); source files, and folders of such "
        "(`data=code`; empty: data.root, or Python's standard library)"
    )
    level: str = option("what a token is", choices=("word", "char"))
    vocab_size: int | None = option(
        "most frequent types kept, <unk> included; null: all", unit="types", at_least=2
    )
    valid_fraction: float = option(
        "share of the tokens held out for validation, where the corpus has no split of its own",
        above=0,
        below=1,
    )
    test_fraction: float = option(
        "share held out for the final test; the last of the text", at_least=0, below=1
    )
    characters: int | None = option(
        "most that are read, the rest is left out (`data=text`, `data=code`); null: all",
        unit="characters",
        at_least=1,
    )


@dataclass(unsafe_hash=True)
class InitializerConfig:
    """`model.initializer`: how weight matrices start; biases start at zero."""

    kind: str = option("distribution", choices=("uniform", "variance_scaling"))
    scale: float = option(
        "uniform: half-width of U(-scale, scale); variance_scaling: variance times fan-in", above=0
    )


@dataclass(unsafe_hash=True)
class ModelConfig:
    """`model`: embedding -> stacked recurrence -> tanh hidden layer -> softmax."""

    cell: str = option("recurrence", choices=("rnn", "gru", "lstm"))
    embed_size: int = option("width of the word vectors", unit="units", at_least=1)
    rnn_size: int = option("width of each recurrent layer", unit="units", at_least=1)
    last_size: int | None = option(
        "width of the last recurrent layer; null: as the others", unit="units", at_least=1
    )
    layers: int = option("recurrent layers", at_least=1)
    hidden_size: int | None = option(
        "width of the tanh layer before the softmax; null: no such layer", unit="units", at_least=1
    )
    dropout: float = option(
        "share of units dropped after the embedding and after each recurrent layer",
        at_least=0,
        below=1,
    )
    input_dropout: float | None = option(
        "share dropped after the embedding; null: as model.dropout", at_least=0, below=1
    )
    output_dropout: float | None = option(
        "share dropped after the last recurrent layer; null: as model.dropout", at_least=0, below=1
    )
    dropout_kind: str = option(
        "step: other units at each time step; locked: the same ones throughout a window",
        choices=("step", "locked"),
    )
    embedding_dropout: float = option(
        "share of the vocabulary's words whose vectors are zero throughout a window",
        at_least=0,
        below=1,
    )
    weight_drop: float = option(
        "share of the recurrent weights that are zero throughout a window", at_least=0, below=1
    )
    forget_bias: float = option("added to the LSTM's forget gate at the start of training")
    tie_weights: bool = option(
        "the softmax compares features with the word vectors themselves, which so learn from both "
        "sides (Press & Wolf 2017; Inan et al. 2017); embed_size must be the features' width"
    )
    embed_scale: float = option("embeddings start in U(-embed_scale, embed_scale)", above=0)
    initializer: InitializerConfig = field(default_factory=InitializerConfig)


@dataclass(unsafe_hash=True)
class LossConfig:
    """`loss`: what training minimises; evaluation always uses the full softmax."""

    kind: str = option("training loss", choices=("softmax", "sampled_softmax", "nce"))
    over_time: str = option(
        "mean: the gradient is that of the loss per target; sum: that of its sum over the time "
        "steps, a mean over the streams (Zaremba et al. 2014), with which train/grad_norm, "
        "train.clip_norm and the step grow train.sequence_length-fold; train/loss is the same",
        choices=("mean", "sum"),
    )
    samples: int = option("candidates per batch of a sampled loss", unit="words", at_least=1)
    remove_accidental_hits: bool | None = option(
        "mask candidates that are a target; null: TensorFlow's default (yes for sampled_softmax, "
        "no for nce)"
    )
    activation_penalty: float = option(
        "times the mean square of the last recurrent layer's dropped-out outputs, added to what "
        "training minimises",
        at_least=0,
    )
    slowness_penalty: float = option(
        "times the mean square of the differences of those outputs between time steps, before "
        "dropout, added likewise",
        at_least=0,
    )


HOLD, PLATEAU = "hold", "plateau"
"""Values of `optimizer.schedule` of which an epoch has one learning rate."""

LINEAR, COSINE, WSD = "linear", "cosine", "wsd"
"""Values of `optimizer.schedule` of which each update has a learning rate of its own."""

BY_UPDATE = (LINEAR, COSINE, WSD)


@dataclass(unsafe_hash=True)
class OptimizerConfig:
    """`optimizer`: the update rule and its learning rate over epochs."""

    kind: str = option("update rule")
    learning_rate: float = option("step size", above=0)
    schedule: str = option(
        "hold: full learning rate for `hold_epochs`, then times `decay` after each epoch; plateau: "
        "times `decay` after each `plateau_patience` evaluations without a better value of "
        "sweep.metric; linear, cosine: falls with each update, in a line or half a cosine, to "
        "`end_factor` of it after the last; wsd: full but for the last `decay_fraction` of all "
        "updates, in which it falls in a line (warmup, stable, decay)",
        choices=(HOLD, PLATEAU, *BY_UPDATE),
    )
    warmup_steps: int = option(
        "first updates, over which the learning rate rises in a line to what the schedule says",
        unit="updates",
        at_least=0,
    )
    end_factor: float = option(
        "share of the learning rate that is left after the last update (linear, cosine, wsd)",
        at_least=0,
        at_most=1,
    )
    decay_fraction: float = option(
        "share of all updates in which `schedule=wsd` decays", above=0, at_most=1
    )
    hold_epochs: int | None = option(
        "epochs at the full learning rate; null: all of them", unit="epochs", at_least=0
    )
    decay: float = option("factor of the learning rate, see `schedule`", above=0, at_most=1)
    plateau_patience: int = option(
        "evaluations in a row without a better value before the rate decays (`schedule=plateau`)",
        unit="evaluations",
        at_least=1,
    )
    weight_decay: float = option(
        "times each parameter, added to its clipped gradient before the update rule", at_least=0
    )
    average_patience: int | None = option(
        "the parameters of all later updates are averaged, and evaluation, samples and vectors use "
        "the average, once an epoch's validation loss is higher than that of any epoch more than "
        "this number before it; null: never",
        unit="epochs",
        at_least=0,
    )


@dataclass(unsafe_hash=True)
class MomentumConfig(OptimizerConfig):
    """`optimizer=momentum`, `optimizer=sgd`: gradient descent with momentum (Polyak 1964)."""

    momentum: float = option("share of the velocity kept at each update", at_least=0, below=1)


@dataclass(unsafe_hash=True)
class AdamConfig(OptimizerConfig):
    """`optimizer=adam`: Kingma & Ba 2015."""

    beta1: float = option("decay of the gradient's running mean", at_least=0, below=1)
    beta2: float = option("decay of its running mean square", at_least=0, below=1)
    epsilon: float = option("added to the denominator", above=0)


@dataclass(unsafe_hash=True)
class AdamWConfig(AdamConfig):
    """`optimizer=adamw`: Adam with decoupled weight decay, Loshchilov & Hutter 2019."""

    weight_decay: float = option(
        "times the learning rate and each parameter, taken from it at each update; no part of the "
        "gradient that the rule sees",
        at_least=0,
    )


@dataclass(unsafe_hash=True)
class LionConfig(OptimizerConfig):
    """`optimizer=lion`: steps of equal size against the sign of a mean gradient, Chen et al. 2023.

    Its learning rate is three to ten times smaller than Adam's, its weight decay as much larger.
    """

    beta1: float = option(
        "share of the running mean, beside the gradient, in what the sign is taken of",
        at_least=0,
        below=1,
    )
    beta2: float = option("decay of the gradient's running mean", at_least=0, below=1)
    weight_decay: float = option(
        "times the learning rate and each parameter, taken from it at each update", at_least=0
    )


@dataclass(unsafe_hash=True)
class MuonConfig(OptimizerConfig):
    """`optimizer=muon`: momentum made orthogonal, Jordan et al. 2024, for matrices between layers.

    Embedding, softmax and biases are Adam's. Steps of both have the size of Adam's, as in Liu et
    al. 2025, so that one learning rate suits both.
    """

    momentum: float = option("share of the velocity kept at each update", at_least=0, below=1)
    iterations: int = option("Newton-Schulz iterations of an update", at_least=1)
    beta1: float = option("Adam's decay of the gradient's running mean", at_least=0, below=1)
    beta2: float = option("Adam's decay of its running mean square", at_least=0, below=1)
    epsilon: float = option("added to Adam's denominator", above=0)
    weight_decay: float = option(
        "times the learning rate and each parameter, taken from it at each update", at_least=0
    )


@dataclass(unsafe_hash=True)
class RMSPropConfig(OptimizerConfig):
    """`optimizer=rmsprop`: Tieleman & Hinton 2012, without centring."""

    momentum: float = option("share of the velocity kept at each update", at_least=0, below=1)
    smoothing: float = option("decay of the gradient's running mean square", at_least=0, below=1)
    epsilon: float = option("added to the denominator", above=0)


OPTIMIZERS = {
    "momentum": MomentumConfig,
    "adam": AdamConfig,
    "adamw": AdamWConfig,
    "lion": LionConfig,
    "muon": MuonConfig,
    "rmsprop": RMSPropConfig,
}
"""`optimizer.kind` -> the options of that update rule."""


def momentum_of(optimizer: OptimizerConfig) -> float:
    """Return the momentum of an update rule; 0 for one that has none."""
    if isinstance(optimizer, MomentumConfig | MuonConfig | RMSPropConfig):
        return optimizer.momentum
    return 0.0


def varies_by_update(optimizer: OptimizerConfig) -> bool:
    """Return whether the learning rate may differ between two updates of an epoch."""
    return optimizer.schedule in BY_UPDATE or optimizer.warmup_steps > 0


@dataclass(unsafe_hash=True)
class TrainConfig:
    """`train`: batches, epochs, clipping and what is reported."""

    batch_size: int = option("text streams side by side", unit="sequences", at_least=1)
    accumulate: int = option(
        "parts of an update's batch, each of `batch_size` streams: their gradients are computed "
        "one after the other, in the memory of one, and averaged",
        at_least=1,
    )
    eval_batch_size: int | None = option(
        "streams in which a held-out text is read, each from a zero state (`predict=all`); null: "
        "as `batch_size`, 1: the text as one",
        unit="sequences",
        at_least=1,
    )
    sequence_length: int = option("steps of backpropagation through time", unit="words", at_least=1)
    epochs: int = option("passes over the training text", at_least=1)
    patience: int | None = option(
        "training ends after this many evaluations without a better value of sweep.metric; null: "
        "after train.epochs",
        unit="evaluations",
        at_least=1,
    )
    clip_norm: float | None = option("largest global norm of the gradient; null: off", above=0)
    predict: str = option(
        "all: every step's target, state carried across batches; last: the word after a shuffled "
        "window, state zero at its start",
        choices=("all", "last"),
    )
    report_every: int = option("updates between two reports", unit="updates", at_least=1)
    precision: str = option(
        "of matrix products; bfloat16 (experimental; for GPUs, and no faster on a CPU): factors "
        "are rounded to it, sums and parameters stay float32",
        choices=("float32", "bfloat16"),
    )
    checkpoint_minutes: float = option(
        "a checkpoint is written after every epoch, and within one after this long",
        unit="minutes",
        at_least=0,
    )
    changes: list[dict[str, Any]] = option(
        "numbers that change during training, `{step: updates made before, option: number}`; "
        "options: optimizer.learning_rate, optimizer.momentum, train.clip_norm"
    )

    @property
    def streams(self) -> int:
        """Text streams of an update."""
        return self.batch_size * self.accumulate


@dataclass(unsafe_hash=True)
class LogConfig:
    """`log`: what a run shows beside its metrics; none of it changes what is trained."""

    histogram_every: int = option(
        "updates between two recordings of histograms of activations, parameters and gradients, "
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
        "updates between two points of the curves of loss and gradient norm, each a mean over "
        "these updates; null: a point a report (train.report_every)",
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
        "how far back from each loss its gradient is itemized; null: all the way",
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
    """The root of all options; the keys of `RUN_ONLY` do not change what a run computes."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = section(OptimizerConfig, OPTIMIZERS)
    train: TrainConfig = field(default_factory=TrainConfig)
    log: LogConfig = field(default_factory=LogConfig)
    gradient_flow: GradientFlowConfig = field(default_factory=GradientFlowConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    scheduler: SchedulerConfig = section(SchedulerConfig, SCHEDULERS)
    ray: RayConfig = field(default_factory=RayConfig)
    init_from: str | None = option(
        "a trained trial's folder, or a file of `lm.export --to safetensors`: parameters of the "
        "same names and shapes start as they are there; null: all are drawn"
    )
    seed: int = option("source of everything random", at_least=0, at_most=2**32 - 1)
    output_dir: str = option("root of all results")
    name: str | None = option("folder of a single run; null: made from its overrides")
    fresh: bool = option("start a finished single run again; its old folder is moved aside")


RUN_ONLY = (
    *("output_dir", "name", "fresh", "log", "gradient_flow"),
    *("sweep", "search", "scheduler", "ray"),
)
"""Keys of the root that do not change what a run computes."""
