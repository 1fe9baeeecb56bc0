"""Generation with a trained model: its trial says what the user leaves out."""

from lm.generation.generator import GenerationRequest
from lm.generation.prompt import PROMPT_OPTION, Prompt, choose_prompt, read_prompt
from lm.training.load import TrainedModel, load_trial_dataset
from sweeps.errors import UserError


def trial_prompt(trained: TrainedModel) -> Prompt:
    """Return the trial's `log.sample_prompt` or, without one, the start of its validation text.

    Raises:
      UserError: the model cannot read it, or there is none.
    """
    config, given = trained.config, trained.config.log.sample_prompt
    if given is not None:
        return read_prompt(given, config.data, trained.vocabulary, PROMPT_OPTION)
    try:
        return choose_prompt(None, config.data, load_trial_dataset(trained), PROMPT_OPTION)
    except UserError as error:
        raise UserError(
            f"{trained.trial.directory} has no log.sample_prompt, and the start of its text, which "
            f"would stand for one, cannot be had; give --prompt TEXT, or mend this: {error}"
        ) from error


def make_request(
    trained: TrainedModel,
    prompt: Prompt,
    *,
    words: int,
    samples: int,
    temperature: float | None,
    top_k: int | None,
    seed: int | None,
    unknown: bool,
    scored: bool = False,
) -> GenerationRequest:
    """Complete the options of a generation.

    Args:
      trained: the model.
      prompt: what each text begins with.
      words, samples, top_k, scored: as of `GenerationRequest`.
      temperature: None: the trial's `log.sample_temperature`.
      seed: None: the trial's.
      unknown: whether <unk> may be drawn.
    """
    config, unk_id = trained.config, trained.vocabulary.unk_id
    return GenerationRequest(
        prompt=prompt.ids,
        words=words,
        samples=samples,
        temperature=config.log.sample_temperature if temperature is None else temperature,
        top_k=top_k,
        seed=config.seed if seed is None else seed,
        avoid=[] if unknown or unk_id is None else [unk_id],
        scored=scored,
    )
