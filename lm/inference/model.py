"""A trained model as a Python object: `lm.load(FOLDER)`."""

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np

from lm.backend.compile_cache import use_cache
from lm.config import Config
from lm.data.text_files import with_newlines
from lm.data.vocabulary import Vocabulary
from lm.data.windows import context_size
from lm.evaluation.scoring import score_tokens
from lm.evaluation.texts import cut_text, unknown_tokens
from lm.generation.detokenize import split_continuation
from lm.generation.generator import generate_texts
from lm.generation.prompt import (
    DEFAULT_WORDS,
    PROMPT_OPTION,
    Prompt,
    read_prompt,
    unknown_words_notice,
)
from lm.generation.trained import make_request, trial_prompt
from lm.inference.scored_text import ScoredText
from lm.training.checkpoint import BEST, LAST
from lm.training.load import TrainedModel, load_trained
from lm.training.state import count_parameters
from lm.vectors.load import model_vectors
from lm.vectors.word_vectors import to_keyed_vectors
from sweeps.errors import UserError

if TYPE_CHECKING:
    from gensim.models import KeyedVectors


def load(
    folder: str | os.PathLike[str], checkpoint: Literal["best", "last"] | int | None = None
) -> "Model":
    """Load a trained model from the folder of its trial.

    The text that it was trained on is not needed, and nothing in the folder is changed. Compiled
    programs are kept in `~/.cache/lm-sweeps` for the next process, unless JAX has been given
    another cache.

    Args:
      folder: of a trial, `outputs/SWEEP/TRIAL` or `outputs/single/NAME`; also of one that is still
        training.
      checkpoint: `"best"` by the metric that ranks the trial, `"last"`, or an update step; None:
        the best where there is one, else the last.

    Returns:
      The model, with the parameters that its trial evaluates: averaged ones, if there are any.

    Raises:
      UserError: the folder is no trial's, or has no such checkpoint that can be read.
    """
    if not (checkpoint is None or checkpoint in (BEST, LAST) or _is_whole(checkpoint, 0)):
        raise UserError(
            f"checkpoint={checkpoint!r} is no checkpoint; give {BEST!r}, {LAST!r} or a step."
        )
    use_cache()
    return Model(load_trained(Path(folder), choice=checkpoint))


class Model:
    """A trained language model: scores texts, writes texts, has word vectors and parameters.

    `lm.load` makes it. Words are characters where the model was trained with `data.level=char`.
    """

    def __init__(self, trained: TrainedModel) -> None:
        """Wrap a model that `lm.training.load.load_trained` has read."""
        self._trained = trained

    def __repr__(self) -> str:
        model = self.config.model
        layers = "layer" if model.layers == 1 else "layers"
        facts = (
            f"{model.layers} {layers} of {model.cell}",
            f"vocabulary of {len(self.vocabulary):,}",
            f"{count_parameters(self._trained.params):,} parameters",
        )
        where = f"{self._trained.trial.directory}: {self._trained.describe_checkpoint()}"
        return f"<lm.Model {where}; {', '.join(facts)}>"

    @property
    def config(self) -> Config:
        """The options of its trial; `lm.config.schema` says what each means."""
        return self._trained.config

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that it knows, by falling frequency: `.words`, and `.counts` in its text."""
        return self._trained.vocabulary

    @property
    def checkpoint(self) -> str:
        """Which checkpoint it is of: `best`, `last`, or the step that was asked for."""
        return self._trained.checkpoint

    @property
    def step(self) -> int:
        """The number of updates that made its parameters."""
        return self._trained.step

    @cached_property
    def params(self) -> dict[str, Any]:
        """Its parameters: nested dictionaries of NumPy arrays in float32, which are read-only.

        `embedding/weight` [V, D] and `output/weight` [V, H] have a row for each word of the
        vocabulary; with `model.tie_weights` the second is missing, and the softmax takes the first.
        `layers` has a dictionary for each layer, by its number from 0.
        """
        found: dict[str, Any] = jax.tree.map(np.asarray, self._trained.params)
        return found

    @cached_property
    def vectors(self) -> "KeyedVectors":
        """Word vectors of the embedding, which the recurrence reads, as gensim's KeyedVectors.

        So there are `vectors["word"]`, `vectors.most_similar("word")`,
        `vectors.similarity("one", "other")` and the rest of gensim's methods. The first use imports
        gensim, which takes seconds.
        """
        return self._table("embedding")

    @cached_property
    def output_vectors(self) -> "KeyedVectors":
        """Word vectors of the softmax, which its features are compared with, as `vectors`.

        With `model.tie_weights` they are those of the embedding.
        """
        return self._table("output")

    def score(self, text: str) -> ScoredText:
        """Predict each token of a text from those before it, with the softmax over all words.

        The text is cut into tokens as the corpus was, and read as one stream from a zero state. Its
        first token has nothing before it: it is read, and not predicted. A model that was trained
        with `train.predict=last` predicts each token from the `train.sequence_length` tokens
        before it, from a zero state each time, so that as many are read first. A token that the
        vocabulary lacks is read and scored as <unk>; `ScoredText.unknown` names them.

        The numbers are those of `python -m lm.evaluate FOLDER --text FILE --batch-size 1` (for
        `train.predict=last` without `--batch-size`). Texts are padded to whole windows of a few
        hundred tokens, and their number to a power of two. Only the first text of such a length
        compiles, which takes seconds, or less where an earlier process has compiled it.

        Args:
          text: of two tokens or more; with `train.predict=last` of `train.sequence_length` and one.

        Raises:
          UserError: it is too short, or a token is unknown and the vocabulary has no <unk>.
          TypeError: it is no string.
        """
        if not isinstance(text, str):
            raise TypeError(f"a text is a string, and {text!r} is a {type(text).__name__}")
        trained, train = self._trained, self.config.train
        if train.predict == "all":
            train = replace(train, eval_batch_size=1)
        tokens = cut_text(trained, with_newlines(text), "the text")
        scores = score_tokens(trained, self.vocabulary.encode(tokens), train, [])
        first = context_size(train)
        return ScoredText(
            tokens=tokens[first:],
            log_probs=scores.log_probs,
            context=tokens[:first],
            unknown=list(dict.fromkeys(unknown_tokens(self.vocabulary, tokens))),
        )

    def perplexity(self, text: str) -> float:
        """exp of the mean negative log-probability of the tokens that `score` predicts.

        Tokens that the vocabulary lacks count as <unk>; `score` names them.

        Args:
          text: as of `score`.

        Raises:
          UserError, TypeError: as of `score`.
        """
        return self.score(text).perplexity

    def generate(
        self,
        prompt: str | None = None,
        words: int = DEFAULT_WORDS,
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
        unknown: bool = False,
    ) -> str:
        """Continue a prompt; returns the prompt and what comes after it.

        Equal arguments give equal texts, those that `python -m lm.generate FOLDER` prints with the
        same options. The first call compiles, which takes seconds, or less where an earlier process
        has compiled it. Later ones share that program, whatever the prompt, the number of words,
        the temperature and the seed are; `top_k` needs a further one for each power of two.

        Args:
          prompt: what the text begins with, cut into tokens as the corpus was; None: the trial's
            `log.sample_prompt` or, without one, the first words of its validation text, which is
            needed then. A word that the vocabulary lacks is read as <unk>, with a warning.
          words: drawn after the prompt; characters of a character model.
          temperature: logits are divided by it, and 0 takes the likeliest word each time; None: the
            trial's `log.sample_temperature`.
          top_k: words are drawn from this many of the likeliest; None: from all.
          seed: of the draws; None: the trial's.
          unknown: whether <unk> may be drawn.

        Raises:
          UserError: an argument is out of its range, no word of the prompt is known, one is not
            and the vocabulary has no <unk>, or there is no prompt.
        """
        return self._generate(1, prompt, words, temperature, top_k, seed, unknown)[0]

    def generate_samples(
        self,
        samples: int,
        prompt: str | None = None,
        words: int = DEFAULT_WORDS,
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
        unknown: bool = False,
    ) -> list[str]:
        """Continue a prompt several times, computed side by side.

        Text n is the same among few and among many; the first one is that of `generate`.

        Args:
          samples: number of texts.
          prompt, words, temperature, top_k, seed, unknown: as of `generate`.

        Raises:
          UserError: as of `generate`.
        """
        return self._generate(samples, prompt, words, temperature, top_k, seed, unknown)

    def _generate(
        self,
        samples: int,
        prompt: str | None,
        words: int,
        temperature: float | None,
        top_k: int | None,
        seed: int | None,
        unknown: bool,
    ) -> list[str]:
        _check_whole("samples", samples)
        _check_whole("words", words)
        _check_whole("top_k", 1 if top_k is None else top_k)
        _check_whole("seed", 0 if seed is None else seed, at_least=0)
        if not (temperature is None or 0 <= temperature < math.inf):
            raise UserError(f"temperature={temperature!r}; give a number of at least 0.")
        read = self._prompt(prompt)
        request = make_request(
            self._trained,
            read,
            words=words,
            samples=samples,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
            unknown=unknown,
        )
        texts = generate_texts(self._trained.functions, self._trained.params, request)
        return [self._text(read.ids.tolist(), one.ids.tolist()) for one in texts]

    def _prompt(self, given: str | None) -> Prompt:
        if given is None:
            prompt, option = self._own_prompt, PROMPT_OPTION
        else:
            option = "prompt"
            prompt = read_prompt(given, self.config.data, self.vocabulary, option)
        if notice := unknown_words_notice(prompt, option):
            warnings.warn(notice, stacklevel=4)  # at the line that calls `generate`
        return prompt

    @cached_property
    def _own_prompt(self) -> Prompt:
        try:
            return trial_prompt(self._trained)
        except UserError as error:
            raise UserError(
                f"{self._trained.trial.directory} has no words of its own that a text could begin "
                "with; give a prompt."
            ) from error

    def _text(self, prompt: Sequence[int], written: Sequence[int]) -> str:
        decode = self.vocabulary.decode
        parts = split_continuation(decode(prompt), decode(written), self.config.data.level)
        return "".join(parts)

    def _table(self, name: str) -> "KeyedVectors":
        (table,) = model_vectors(self._trained, name)
        return to_keyed_vectors(table)


def _is_whole(value: object, at_least: int) -> bool:
    if not isinstance(value, Integral) or isinstance(value, bool):
        return False
    return int(value) >= at_least


def _check_whole(name: str, value: object, at_least: int = 1) -> None:
    if not _is_whole(value, at_least):
        raise UserError(f"{name}={value!r}; give a whole number of at least {at_least}.")
