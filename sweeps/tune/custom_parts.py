"""Parts of Ray Tune that options name by dotted path: callbacks, a scheduler, a searcher."""

from typing import Any

from sweeps.config import CustomSchedulerConfig, FrameworkConfig, RayConfig, locate_option
from sweeps.errors import UserError, first_line
from sweeps.tune.custom_searcher import make_custom_searcher
from sweeps.tune.schedulers import make_custom_scheduler


def check_custom(options: FrameworkConfig) -> None:
    """Make all parts that the options name once, before Ray starts.

    Raises:
      UserError: one cannot be made, or is of another type.
    """
    custom_callbacks(options.ray)
    if isinstance(options.scheduler, CustomSchedulerConfig):
        make_custom_scheduler(options.scheduler, options.sweep)
    if options.search.is_own:
        make_custom_searcher(options.search)


def custom_callbacks(options: RayConfig) -> list[Any]:
    """Make the callbacks that `ray.callbacks` names.

    Raises:
      UserError: one cannot be made, or is no `ray.tune.Callback`.
    """
    if not options.callbacks:
        return []
    from ray.tune import Callback

    found = []
    for path in options.callbacks:
        make = locate_option("ray.callbacks", path)
        try:
            callback = make()
        except Exception as error:  # of a callback that is not ours
            raise UserError(
                f"ray.callbacks={path} cannot be made ({type(error).__name__}: "
                f"{first_line(error)}); name a class that takes no arguments."
            ) from error
        if not isinstance(callback, Callback):
            raise UserError(
                f"ray.callbacks={path} gives a {type(callback).__name__}, and no "
                "ray.tune.Callback; name a class of one."
            )
        found.append(callback)
    return found
