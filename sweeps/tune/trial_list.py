"""Trials that are known from the start, as a search algorithm of Ray Tune.

Ray's own generator makes all trials of a grid at the start, each from a copy of the whole grid.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def make_trial_list(configs: Sequence[Mapping[str, Any]]) -> Any:
    """Make the search algorithm: it makes a trial of each configuration when Tune asks for it.

    It is a `BasicVariantGenerator` to Tune, which holds as many waiting trials of one as a growing
    cluster needs.

    Args:
      configs: what the workers get, in the order in which the trials start.
    """
    from ray.tune.experiment import Trial
    from ray.tune.search import BasicVariantGenerator

    trainables: list[Any] = []

    class ListedTrial(Trial):
        def get_trainable_cls(self) -> Any:
            # Ray loads the class from its pickle for each trial. Each has a resource request of its
            # own then, which Tune compares with all others again and again.
            if not trainables:
                trainables.append(super().get_trainable_cls())  # type: ignore[no-untyped-call]
            return trainables[0]

    class TrialList(BasicVariantGenerator):
        def __init__(self) -> None:
            super().__init__()
            self._total_samples = len(configs)
            self._num_made = 0
            self._spec: dict[str, Any] = {}

        def add_configurations(self, experiments: Any) -> None:
            (experiment,) = experiments
            self._spec = experiment.spec

        def next_trial(self) -> Any:
            """The next trial; None: all are made."""
            number, spec = self._num_made, self._spec
            if number == len(configs):
                return None
            self._num_made += 1
            if self._num_made == len(configs):
                self.set_finished()  # type: ignore[no-untyped-call]
            return ListedTrial(
                spec["run"],
                config={**spec["config"], **configs[number]},
                trial_id=f"{self._uuid_prefix}{number:05d}",
                experiment_tag=str(number),
                storage=spec["storage"],
                checkpoint_config=spec["checkpoint_config"],
                max_failures=spec["max_failures"],
                trial_name_creator=spec["trial_name_creator"],
                trial_dirname_creator=spec["trial_dirname_creator"],
            )

        def __deepcopy__(self, memo: Any) -> Any:
            return self

        def __reduce__(self) -> Any:
            # Tune pickles its set-up for a restore that is never made.
            return BasicVariantGenerator, ()

    return TrialList()
