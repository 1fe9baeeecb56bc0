"""What a sweep would run and cost, as it is shown before."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeps.plan.cost import SESSION_BYTES, WORKER_BYTES, Cost, peak_bytes, wall_seconds
from sweeps.plan.packs import Pack
from sweeps.plan.preview_table import TrialPreview, duration, number, print_preview, size
from sweeps.store.status import TrialStatus
from sweeps.store.trial import Trial

GIB = 2**30


def cost(program: str = "a", seconds: float = 60.0, **more: Any) -> Cost:
    return Cost(program, 1_234_567, seconds, 240_000_000, **more)


def line(rnn_size: int, status: str | None = None, step: int = 0, **more: Any) -> TrialPreview:
    earlier = status and Trial(
        directory=Path("x"), status=TrialStatus(status), step=step, total_steps=100
    )
    done = earlier.done if earlier else False
    settings = {"model.rnn_size": str(rnn_size), "seed": "0"}
    return TrialPreview(settings=settings, earlier=earlier or None, done=done, **more)


def shown(lines: list[TrialPreview], slots: int = 2, **more: Any) -> list[str]:
    text = StringIO()
    print_preview(Console(file=text, width=100), lines, slots, **{"memory": 16 * GIB, **more})
    return [text.rstrip() for text in text.getvalue().splitlines()]


def test_each_trial_has_a_row_and_all_have_a_sum() -> None:
    lines = [
        line(64, cost=cost("a")),
        line(96, "finished", 100, cost=cost("b")),
        line(128, "interrupted", 25, cost=cost("a", 110.0, compile_seconds=10.0)),
        line(192, "diverged", 3, cost=cost("c")),
    ]
    assert shown(lines) == [
        "#  rnn_size  seed  state               parameters  time  memory",
        "1        64     0  to run                    1.2M  60 s  240 MB",
        "2        96     0  done                      1.2M",
        "3       128     0  goes on at step 25        1.2M  85 s  240 MB",
        "4       192     0  done                      1.2M",
        "",
        "4 trials: 2 done before, 2 to run",
        "to compile: 2 trials = 1 program",
        "time:       about 1.6 min, 2 trials at a time",
        "memory:     about 1.7 GB at most, of 17 GB",
    ]


def test_room_for_checkpoints_is_told_of_trials_that_are_to_run() -> None:
    sizes = {"checkpoint_bytes": 16_000_000, "num_kept": 2}
    lines = [line(64, cost=cost(**sizes)), line(96, "finished", 100, cost=cost(**sizes))]
    told = "of checkpoints kept (sweep.keep_checkpoints=best), of 16 MB each"
    assert shown(lines)[-1] == f"disk:       up to 32 MB {told}"
    more = shown(lines, num_unknown=2, sample_costs=[cost(**sizes)])
    assert more[-1] == f"disk:       up to 96 MB {told}"
    assert not any("disk" in text for text in shown([line(64, cost=cost())]))


def test_a_trial_that_another_sweep_has_is_copied_and_costs_nothing() -> None:
    lines = [line(64, cost=cost("a")), line(96, cost=cost("b"), copied_from="layers")]
    assert shown(lines) == [
        "#  rnn_size  seed  state               parameters  time  memory",
        "1        64     0  to run                    1.2M  60 s  240 MB",
        "2        96     0  copied from layers        1.2M",
        "",
        "2 trials: 1 copied, 1 to run",
        "to compile: 1 trial = 1 program",
        "time:       about 70 s, 1 trial at a time",
        "memory:     about 1.3 GB at most, of 17 GB",
    ]


def test_links_and_exclusions_are_told() -> None:
    text = shown(
        [line(1, cost=cost())],
        zipped=[["model.rnn_size", "seed"]],
        exclude=["seed=1", "seed=2,model.rnn_size=3"],
        num_excluded=7,
    )
    assert "sweep.zip: model.rnn_size, seed step together" in text
    assert "sweep.exclude: 7 left out by seed=1; seed=2,model.rnn_size=3" in text


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (1, "time:       about 4.2 min, 2 packs at a time; a pack of k taken to last as long as k"),
        (9, "time:       about 2.2 min, 2 packs at a time; up to 9 trials of a pack taken to last"),
    ],
)
def test_packs_are_counted_and_their_time_is_reckoned(free: int, expected: str) -> None:
    lines = [line(64, "finished", 100, cost=cost()), *(line(1, cost=cost()) for _ in range(7))]
    packs = [
        Pack(lanes=(1, 2, 3, 4), vectorized=True, free_lanes=free),
        Pack(lanes=(5, 6), vectorized=True, free_lanes=free),
        Pack(lanes=(7,), vectorized=False),
    ]
    text = shown(lines, packs=packs)[10:]
    assert text[0] == "8 trials: 1 done before, 7 to run in 2 packs of up to 4, 1 alone"
    assert text[1] == "to compile: 7 trials = 3 programs"
    assert text[2].startswith(expected)
    assert text[3] == "memory:     about 2.7 GB at most, of 17 GB"


def test_further_trials_of_a_pack_take_only_their_own_memory() -> None:
    lines = [line(1, cost=cost(lane_bytes=10_000_000)) for _ in range(3)]
    packs = [Pack(lanes=(0, 1, 2), vectorized=True)]
    (memory,) = [text for text in shown(lines, packs=packs) if "memory: " in text]
    assert memory.startswith("memory:     about 1.3 GB")


def test_long_sweep_shows_its_ends() -> None:
    text = shown([line(place, cost=cost()) for place in range(100)])
    rows = text[1 : text.index("")]
    assert len(rows) == 17
    places = [*range(1, 13), "...", *range(97, 101)]
    assert [row.split()[0] for row in rows] == [str(place) for place in places]
    assert rows[12].split() == ["...", "84", "more"]
    assert not any("more" in row for row in shown([line(place) for place in range(17)]))


def test_trials_that_do_not_fit_are_warned_of() -> None:
    lines = [line(1, cost=cost()), line(2, cost=cost())]
    assert not any("warning" in text for text in shown(lines, memory=2 * GIB))
    assert any("2 trials at a time will not fit" in text for text in shown(lines, memory=GIB))


def test_without_estimates_the_trials_are_shown_alone() -> None:
    assert shown([line(64), line(96, "finished", 100)])[-1] == "2 trials: 1 done before, 1 to run"


def test_everything_done_costs_nothing() -> None:
    text = shown([line(64, "finished", 100, cost=cost())])
    assert text[-1] == "1 trial: 1 done before, 0 to run"


def test_unknown_trials_cost_what_samples_do() -> None:
    text = shown([], num_unknown=20, sample_costs=[cost("a", 50.0), cost("b", 70.0)])
    assert text[0] == "20 trials: 20 to run, the settings of 20 are chosen as the search learns"
    assert "to compile: 20 trials = 2 programs" in text
    assert any("about 11 min" in line for line in text)
    assert shown([], num_unknown=20)[-1].startswith("20 trials")


@pytest.mark.parametrize(
    ("seconds", "slots", "expected"),
    [
        ([5, 1, 1, 1], 2, 5),
        ([1, 1, 1, 5], 2, 6),  # in order, not the longest first: so does the sweep
        ([3, 4], 1, 7),
        ([3, 4], 5, 4),
        ([], 3, 0),
    ],
)
def test_wall_time_is_of_trials_in_order_on_free_slots(
    seconds: list[float], slots: int, expected: float
) -> None:
    assert wall_seconds([cost(seconds=value) for value in seconds], slots) == expected


def test_slot_compiles_a_program_once() -> None:
    same = [cost("a", 5.0, compile_seconds=2.0)] * 4
    assert wall_seconds(same, 1) == 5 + 3 * 3
    assert wall_seconds(same, 2) == 5 + 3
    assert wall_seconds([same[0], cost("b", 5.0, compile_seconds=2.0)], 1) == 10


def test_peak_is_of_the_largest_trials_together() -> None:
    costs = [Cost("a", 1, 1.0, value) for value in (1000, 5000, 2000)]
    assert peak_bytes(costs, 2) == SESSION_BYTES + 2 * WORKER_BYTES + 7000
    assert peak_bytes(costs, 9) == SESSION_BYTES + 3 * WORKER_BYTES + 8000


def test_units() -> None:
    numbers = (0, 843, 999, 9_960, 12_345, 999_700, 1_234_567, 2_000_000_000)
    assert [*map(number, numbers)] == ["0", "843", "999", "10k", "12k", "1.0M", "1.2M", "2.0G"]
    assert [*map(size, (10, 240_000_000, 1_300_000_000))] == ["10 B", "240 MB", "1.3 GB"]
    times = (0.4, 8.2, 75, 180, 5400, 200_000)
    assert [*map(duration, times)] == ["0.4 s", "8.2 s", "75 s", "3.0 min", "1.5 h", "2.3 days"]
