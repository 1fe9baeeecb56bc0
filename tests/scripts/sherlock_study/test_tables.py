"""The tables of docs/sherlock.md say of made-up trials what a reader would."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.harness.tables import Table
from scripts.sherlock_study import tables
from scripts.sherlock_study.findings import FINDINGS, findings
from scripts.sherlock_study.trials import StudyTrial
from tests.scripts.sherlock_study.made_up import trial, write


def column(table: Table, head: str) -> list[str]:
    return [row[list(table.header).index(head)] for row in table.rows]


def test_trials_are_read_back_with_their_settings_and_reports(tmp_path: Path) -> None:
    made = [trial({"model.rnn_size": "64"}, [5.0, 4.0], ms=12.5)]
    (found,) = write(tmp_path, "sherlock_layers", made)
    assert found.setting("rnn_size") == "64"
    assert [end["train/loss"] for end in found.ends] == [5.0, 4.0]
    assert found.end(2) is not None
    assert found.end(3) is None
    assert found.update_ms == pytest.approx(12.5)
    assert [seconds for seconds, _ in found.seconds()][-1] == pytest.approx(800 * 0.0125)


def test_a_sweep_that_was_not_run_has_no_trials(tmp_path: Path) -> None:
    from scripts.sherlock_study.trials import read

    assert read(tmp_path, "sherlock_layers") == []


def grid(losses: dict[tuple[int, int, int], float]) -> list[StudyTrial]:
    axes = ("model.embed_size", "model.rnn_size", "model.hidden_size")
    return [
        trial(dict(zip(axes, map(str, sizes), strict=True)), [9.0, loss])
        for sizes, loss in losses.items()
    ]


@pytest.mark.parametrize(("narrow", "grouped"), [(0.5, "yes"), (0.05, "no")])
def test_layer_grid_says_whether_the_hidden_width_makes_the_groups(
    narrow: float, grouped: str
) -> None:
    losses = {
        (embed, rnn, hidden): 3 + narrow * (hidden == 64) + 0.1 * (rnn == 128)
        for embed in (64, 96)
        for rnn in (128, 192)
        for hidden in (64, 96)
    }
    table = tables.layers(grid(losses))
    assert column(table, "NCE, epoch 2") == [f"{loss:.3f}" for loss in sorted(losses.values())]
    assert f"hidden_size +{narrow:.3f}, rnn_size +0.100, embed_size +0.000" in table.caption
    assert f"the two groups of the study: {grouped}." in table.caption


def test_grid_stands_beside_the_studys_numbers_and_names_what_is_missing() -> None:
    made = [trial({"optimizer.learning_rate": "0.1", "optimizer.momentum": "0.8"}, [5.25])]
    table = tables.momentum(made)
    assert table.rows[4] == ["0.1", "0.8", "5.18", "5.25", ""]
    assert table.rows[0] == ["0.001", "0.8", "36.89", "-", "not run"]


def rules(momentum: float, adam: float) -> Sequence[StudyTrial]:
    return [
        trial({"experiment": "sherlock"}, [5.0, 4.0], ms=momentum),
        trial({"experiment": "sherlock_adam"}, [4.5, 3.5], ms=adam),
    ]


def test_update_rules_are_compared_after_the_same_seconds() -> None:
    table = tables.optimizers(rules(momentum=10, adam=20))
    assert column(table, "NCE") == ["4.00", "3.50", "-"]
    assert column(table, "NCE after 8 s") == ["4.00", "4.50", "-"]
    assert table.rows[2][-1] == "not run"


def rnn(losses: list[float], steps: str = "5") -> StudyTrial:
    seen = {"within__saturation__layer_1__out": [0.0] * len(losses)}
    model = {"cell": "rnn"}
    return trial({"train.sequence_length": steps}, losses, model=model, **seen)


def test_explosion_is_the_first_loss_far_above_the_lowest_before() -> None:
    assert tables.explosion_step(rnn([200, 20, 5, 4.5, 5.5])) == "never"
    assert tables.explosion_step(rnn([200, 20, 5, 9, 8])) == "1,300"
    assert tables.explosion_step(rnn([200, 20, float("nan")])) == "900"
    table = tables.basic_rnn([rnn([200, 20, 5, 9, 8])])
    assert table.rows[1][:5] == ["5", "152,000", "1,300", "5.00", "8.00"]


def test_validation_split_shows_where_it_was_best() -> None:
    made = trial({"train.predict": "all"}, [5.0, 4.0, 4.4])
    table = tables.held_out([made])
    assert table.rows[0][0] == "`last`"
    assert table.rows[1] == ["`all`", "3", "2", "400.0", "440.0", "4.00", "4.40"]


def test_overfitting_is_judged_by_the_longest_training_that_predicts_the_last_word() -> None:
    sweeps: dict[str, list[StudyTrial]] = {one.sweep: [] for one in FINDINGS}
    short, long = ([5.0, 4.0], [5.0, 4.0, 4.1, 4.2])
    made = [trial({"train.predict": "last"}, losses) for losses in (short, long)]
    sweeps["sherlock_predict"] = [*made, trial({"train.predict": "all"}, [5.0, 4.9, 4.8])]
    assert findings(sweeps).rows[-1][2:] == ["`last`: epoch 2 of 4, `all`: epoch 3 of 3", "yes"]
    sweeps["sherlock_predict"] = made[:1]
    assert findings(sweeps).rows[-1][2:] == ["`last`: epoch 2 of 2", "no"]


def test_schedules_are_named_by_their_rates_the_best_first() -> None:
    changes = [{"step": 10, "optimizer.learning_rate": 0.15}]
    made = [
        trial({"train.changes": "a"}, [5.0]),
        trial({"train.changes": "b"}, [4.0], train={"changes": changes}),
    ]
    assert tables.schedule(made).rows == [
        ["0.05, 0.15", "10", "4.00", "400.00", ""],
        ["0.05", "-", "5.00", "500.00", ""],
    ]


def test_findings_are_judged_by_their_rules_and_need_their_trials() -> None:
    sweeps: dict[str, list[StudyTrial]] = {one.sweep: [] for one in FINDINGS}
    sweeps["sherlock_layers"] = grid({(64, 128, 64): 3.2, (64, 128, 96): 3.0})
    sweeps["sherlock_optimizer"] = [
        *rules(momentum=10, adam=20),
        trial({"experiment": "sherlock_rmsprop"}, [6.0, 5.0], ms=16),
    ]
    sweeps["sherlock_basic_rnn"] = [rnn([9, 5, 9], steps) for steps in ("3", "5")]
    answers = {row[0]: row[2:] for row in findings(sweeps).rows}
    assert answers["The hidden layer's width matters most"] == ["+0.200, +0.000, +0.000", "yes"]
    assert answers["Momentum learns more an epoch than Adam and RMSProp"] == [
        "4.00, 3.50, 5.00",
        "no",
    ]
    assert answers["Adam and RMSProp take about twice as long"] == ["10.0, 20.0, 16.0 ms", "yes"]
    assert answers["The basic RNN is stable with 3 steps only"] == ["not run", "-"]
    assert answers["75 epochs overfit (ours)"] == ["not run", "-"]
