"""Configurations that are measured: overrides of the shipped options, by name.

The text is synthetic (`benchmarks.harness.synthetic_text`), so that no corpus is needed. The time
of a step depends on neither learning rate nor initial scale; the values here keep every model from
diverging on that text.
"""

CONFIGURATIONS = {
    "default": [],  # data=lee
    "sherlock": [  # the Sherlock study's
        "data.vocab_size=11500",
        "model.embed_size=64",
        "model.rnn_size=192",
        "model.hidden_size=96",
        "train.batch_size=32",
        "train.sequence_length=20",
        "loss.kind=sampled_softmax",
        "loss.samples=64",
    ],
    # Zaremba et al. 2014, section 4.1; momentum instead of plain gradient descent, as elsewhere.
    "ptb_small": [
        "data.vocab_size=10000",
        "model.embed_size=200",
        "model.rnn_size=200",
        "model.layers=2",
        "model.hidden_size=null",
        "train.batch_size=20",
        "train.sequence_length=20",
        "train.clip_norm=5",
    ],
    "ptb_medium": [
        "data.vocab_size=10000",
        "model.embed_size=650",
        "model.rnn_size=650",
        "model.layers=2",
        "model.hidden_size=null",
        "model.dropout=0.5",
        "train.batch_size=20",
        "train.sequence_length=35",
        "train.clip_norm=5",
        "optimizer.learning_rate=0.1",
    ],
    "ptb_large": [
        "data.vocab_size=10000",
        "model.embed_size=1500",
        "model.rnn_size=1500",
        "model.layers=2",
        "model.hidden_size=null",
        "model.dropout=0.65",
        "train.batch_size=20",
        "train.sequence_length=35",
        "train.clip_norm=10",
        "optimizer.learning_rate=0.1",
    ],
}
