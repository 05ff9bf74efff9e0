"""The evidence as tables that fit a terminal, and the notes that say what they mean."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from growsearch.evidence.comparison import Evidence, HeldOut, compare
from growsearch.reports.evidence import report
from growsearch.trials.arms import ARMS, Arm
from growsearch.trials.records import ArmResult, TrialRecord
from tests.made_up_trials import arm, trials


def printed(evidence: Evidence, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(report(evidence))
    return stream.getvalue()


def words(evidence: Evidence) -> str:
    """The report as one line, its words one space apart."""
    return " ".join(printed(evidence, 200).split())


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("count", [1, 12, 200])
def test_tables_fit_the_terminal(count: int, width: int) -> None:
    """No line is longer than the terminal, and no cell is cut."""
    text = printed(compare(trials(count), HeldOut(0.98, 0.97, 0.96, 0.955)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "scratch_compute" in text
    assert "winner's curse" in text


def test_controls_that_failed_are_told() -> None:
    """Failed controls are counted by arm; where none failed, there is no note."""
    made = trials(8)
    diverged = ArmResult(None, None, 0.0, failure="the loss became nan")
    made[0] = replace(made[0], arms={**made[0].arms, "random": diverged})
    assert (
        "failed controls Beside candidates that did not fail: 1 of random. They are in no pair"
        in words(compare(made))
    )
    assert "failed" not in words(compare(trials(8)))


def test_too_few_pairs_are_words_not_numbers() -> None:
    few, many = words(compare(trials(3))), words(compare(trials(12)))
    assert "too few pairs" in few
    assert "An interval and a test need at least 6 pairs" in few
    assert "too few pairs" not in many.partition("deepen conv")[0]
    assert "An interval and a test need" not in many
    assert "widen conv" in many


def test_no_controls_say_so() -> None:
    assert "No control arm has run" in printed(compare([]), 80)


def test_every_operation_has_all_figures() -> None:
    """Effect size, test, and both times to accuracy, overall and for each operation."""
    found = trials(12)
    text = printed(compare([*found, replace(found[0], state="PRUNED")]), 80)
    for title in ("All trials", "widen conv", "deepen conv"):
        assert f"{title}: validation accuracy, net2net less control" in text
        assert f"{title}: training until the parent's accuracy is reached" in text
        assert f"{title}: training until net2net's final accuracy is reached" in text
    assert text.count("p-value\n") == text.count("95 % interval") == 3
    assert text.count("updates") >= 6
    assert "Candidates: 1 pruned. They have no controls" in " ".join(text.split())


def test_a_table_of_times_explains_itself() -> None:
    """A line above names the order of the two figures; headings name units, cells both arms.

    net2net has its parent's accuracy at step 0, random at 60 of 60 updates: all of its 2 seconds
    and 1e10 FLOPs, in 3 of 4 pairs.
    """
    made = [
        replace(
            each,
            arms={"net2net": arm(0.97, first=0.96), "random": arm(0.965 if number else 0.95)},
        )
        for number, each in enumerate(trials(4))
    ]
    text = printed(compare(made), 80)
    title = "All trials: training until the parent's accuracy is reached"
    lines = [line.rstrip() for line in text[text.index(title) :].splitlines()[:7]]
    assert lines == [
        title,
        "Costs after the growth, net2net vs control: medians over the pairs in which both",
        "arms reach the accuracy.",
        "                  seconds of  GFLOPs of   pairs that",
        "control  updates    training   training     reach it",
        "────────────────────────────────────────────────────",
        "random   0 vs 60      0 vs 2  0 vs 10.0  4 vs 3 of 4",
    ]


def test_equal_differences_are_not_too_few() -> None:
    """Eight pairs that all differ alike have no interval; the reason is named."""
    alike = {"net2net": arm(0.97), "random": arm(0.96)}
    text = printed(compare([replace(t, arms=alike, operation="widen") for t in trials(8)]), 80)
    assert "too alike" in text
    assert "too few pairs" not in text


def test_scratch_alone_says_what_it_does_not_have() -> None:
    """Equal steps are not equal compute: the other arm is named, unless it ran."""
    alone = [
        replace(trial, arms={"net2net": trial.arms["net2net"], "scratch": trial.arms["random"]})
        for trial in trials(8)
    ]
    assert "For equal compute, run scratch_compute: --arms" in words(compare(alone))
    assert "For equal compute, run" not in words(compare(trials(8)))


def test_notes_follow_from_the_rows_of_the_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new arm from scratch has its notes, whatever its name; an arm without a row has none."""
    held_out = HeldOut(0.97, 0.95, 0.9, 0.9)

    def told(arm: str) -> str:
        made = [
            replace(trial, arms={"net2net": trial.arms["net2net"], arm: trial.arms["random"]})
            for trial in trials(8)
        ]
        return words(compare(made, held_out))

    unpaid, selection = "without those of its ancestors: fresh.", "those from scratch do not"
    for unknown in ("fresh", "scratch_of_old", "scratch_compute_of_old"):
        text = told(unknown)
        assert "compute" not in text.replace(unknown, "")
        assert selection not in text

    start = ARMS["scratch"].start
    monkeypatch.setitem(ARMS, "fresh", Arm("does a fresh start pay?", start, inherits=False))
    text = told("fresh")
    assert unpaid in text
    assert "For equal compute, run scratch_compute: --arms" in text
    assert selection in text
    assert "fresh does a fresh start pay?" in text
    assert selection not in told("random")

    pays = Arm("and at equal compute?", start, inherits=False, length="lineage")
    monkeypatch.setitem(ARMS, "fresh", pays)
    text = told("fresh")
    assert "all its ancestors: fresh. Other arms" in text
    assert unpaid not in text


def with_ancestors(count: int) -> list[TrialRecord]:
    """Trials whose ancestors took 4e9 FLOPs and 1 s, beside 1e10 FLOPs and 2 s of each arm."""
    return [replace(each, ancestry_flops=4e9, ancestry_seconds=1.0) for each in trials(count)]


def test_the_saving_of_compute_has_a_table() -> None:
    """The candidate starts above scratch_compute's end: 60 % of the FLOPs, half of the seconds."""
    text = printed(compare(with_ancestors(8)), 80)
    title = "All trials: compute saved against scratch_compute"
    lines = [line.rstrip() for line in text[text.index(title) :].splitlines()[:8]]
    assert lines == [
        title,
        "Compute of net2net with all its ancestors until it first has the control's final",
        "accuracy, against the control's whole training. Saving: 1 less their ratio.",
        "                   mean                 ahead,  pairs that",
        "of       trials  saving  95 % interval  behind    reach it",
        "──────────────────────────────────────────────────────────",
        "FLOPs         8    +60%      too alike    8, 0      8 of 8",
        "seconds       8    +50%      too alike    8, 0      8 of 8",
    ]
    told = " ".join(text.split())
    assert "Trainings of refused candidates and of controls, and all evaluations, are in" in told
    assert "never reached" not in told
    assert "compute saved" not in words(compare(trials(8)))  # ancestors of unknown cost


def test_pairs_that_never_reach_it_are_told() -> None:
    """They count with the whole compute, and the note says that the mean is an upper bound."""
    made = with_ancestors(8)
    worse = {**made[0].arms, "net2net": arm(0.8, first=0.7)}
    made[0] = replace(made[0], arms=worse)
    text = words(compare(made))
    assert "7 of 8" in text
    assert "In 1 of 8 pairs net2net never has the final accuracy of scratch_compute." in text
    assert "the mean saving is an upper bound" in text


def test_equal_additional_compute_is_told() -> None:
    """Arms that have the FLOPs of the candidate's own training, and how they come to have them."""

    def told(*arms: str) -> str:
        made = [
            replace(each, arms=dict.fromkeys(("net2net", *arms), each.arms["random"]))
            for each in trials(8)
        ]
        return words(compare(made))

    start = "Equal additional FLOPs, as where the parent exists already: "
    scratch = "scratch by the same updates of the same architecture"
    more = "continued_compute by more updates of the parent's"
    assert f"{start}{scratch}; {more}." in told("scratch", "continued_compute")
    assert f"{start}{scratch}." in told("scratch", "continued")
    assert f"{start}{more}." in told("continued_compute", "scratch_compute")
    assert "continued_compute: for those of net2net alone. Other arms" in told(
        "continued_compute", "scratch_compute"
    )
    assert start not in told("continued")


def test_each_control_that_ran_has_its_question() -> None:
    """The notes give the question of each arm in the tables, and of no other."""
    text = words(compare(trials(8)))
    assert f"random {ARMS['random'].question}" in text
    assert f"scratch_compute {ARMS['scratch_compute'].question}" in text
    assert ARMS["continued"].question not in text


def test_tuned_controls_are_told() -> None:
    """The note says that tuned controls have the best of several rates."""
    tuned = [
        replace(
            trial,
            arms={
                **trial.arms,
                "random": replace(
                    trial.arms["random"], tried=((1e-3, 0.9), (1e-2, 0.8), (1.0, None))
                ),
            },
        )
        for trial in trials(8)
    ]
    assert compare(tuned).tuned == 3
    assert "Each control has the best of 3 learning rates" in words(compare(tuned))
    assert "learning rates" not in words(compare(trials(8)))


@pytest.mark.parametrize(
    ("held_out", "said"), [(0.95, "+0.0200 too high"), (0.98, "no excess by the choice")]
)
def test_a_choice_that_was_not_optimistic_is_not_called_too_high(
    held_out: float, said: str
) -> None:
    """Luck on the held-out half is not called an excess by the choice."""
    evidence = compare(trials(8), HeldOut(0.97, held_out, 0.9, 0.9))
    assert said in words(evidence)
    assert "those from scratch do not" in words(evidence)
