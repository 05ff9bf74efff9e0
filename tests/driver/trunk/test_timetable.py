"""The timetable of a trunk: stages that end before its decay, commits in time, enough campaigns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.driver.trunk.timetable import Alone, Campaign, Cool, Progress, Stage, Timetable
from growsearch.space import SearchSpace
from growsearch.space.sections import Trunk

MOST = 400  # stages of a run, however long


@dataclass(frozen=True)
class Overheads:
    """The time that stages take beyond their costs.

    Parameters
    ----------
    job : float
        Of each job, as for evaluations.
    graph : float
        Of each job of a network that was not trained before.
    slow : float
        The time of a training, as a multiple of its cost.
    """

    job: float = 0.0
    graph: float = 0.0
    slow: float = 1.0


@dataclass(frozen=True)
class Step:
    """A stage of a run that is simulated, with the progress before and after it."""

    stage: Stage
    before: Progress
    after: Progress


def side_by_side(jobs: list[float], workers: int) -> float:
    """Return the time of jobs of which each free worker takes the next."""
    ends = [0.0] * workers
    for job in jobs:
        ends[ends.index(min(ends))] += job
    return max(ends)


def after(stage: Stage, now: Progress, over: Overheads, workers: int) -> Progress:
    """Return the progress after a stage, in a run with a time budget."""

    def seconds(cost: float, extra: float = 0.0) -> float:
        return over.slow * cost + over.job + extra

    if isinstance(stage, Alone):
        passed = now.now + seconds(stage.cost)
        return replace(now, now=passed, trained=now.trained + stage.cost)
    if isinstance(stage, Cool):
        passed = now.now + seconds(stage.cost)
        return replace(now, now=passed, cooled=stage.mark)
    if stage.untested:
        passed = now.now + seconds(stage.screen, over.graph)
        return replace(now, now=passed, trained=now.trained + stage.screen, campaigns=1)
    screen = max(stage.screen, now.screening)
    together = stage.candidates * screen
    jobs = [seconds(together), *[seconds(screen, over.graph)] * stage.candidates]
    passed = side_by_side(jobs, workers)
    if stage.contest > 0.0:
        contest = [seconds(stage.contest), seconds(stage.contest, over.graph)]
        passed += side_by_side(contest, workers)
    return Progress(
        now=now.now + passed,
        trained=now.trained + together + stage.contest,
        deciding=now.deciding + together + stage.contest,
        campaigns=now.campaigns + 1,
        cooled=now.cooled,
        screening=now.screening,
    )


def simulated(
    table: Timetable,
    begin: float,
    over: Overheads,
    workers: int = 2,
    *,
    may_grow: bool = True,
    screening: float = 0.0,
) -> list[Step]:
    """The stages of a run whose first network was ready at a time."""
    now, steps = Progress(begin, 0.6 * begin, 0.0, 0, 0.0, screening), list[Step]()
    while (stage := table.next(now, may_grow=may_grow)) is not None:
        assert len(steps) < MOST, "the run does not end"
        steps.append(Step(stage, now, after(stage, now, over, workers)))
        now = steps[-1].after
    return steps


sections = st.builds(
    Trunk,
    candidates=st.integers(1, 6),
    screen=st.floats(0.001, 0.05),
    contest=st.floats(0.01, 0.5),
    untested=st.floats(0.0, 0.2),
    deciding=st.floats(0.05, 2.0),
    until=st.floats(0.0, 1.0),
    cool=st.floats(0.05, 0.4),
    decay=st.floats(0.2, 0.7),
)
budgets = st.floats(10.0, 30_000.0)
overheads = st.builds(
    Overheads, job=st.floats(0.0, 2.0), graph=st.floats(0.0, 8.0), slow=st.floats(0.5, 3.0)
)
begins = st.floats(0.01, 1.0)  # as a share of the budget, at most 20 s


def begin_of(share: float, budget: float) -> float:
    return min(20.0, share * budget)


# --- laws -----------------------------------------------------------------------------------------


@given(sections, budgets, begins, overheads, st.integers(1, 4), st.booleans())
def test_every_run_ends(
    section: Trunk, budget: float, share: float, over: Overheads, workers: int, may_grow: bool
) -> None:
    """Each stage has a length, so that the time passes, and no stage begins after the decay."""
    table = Timetable.of_seconds(section, budget, workers)
    begin = begin_of(share, budget)
    for step in simulated(table, begin, over, workers, may_grow=may_grow):
        stage = step.stage
        assert step.before.now < step.after.now
        assert step.before.now < table.decay_begins
        cost = stage.screen if isinstance(stage, Campaign) else stage.cost
        assert cost > 0.0
        assert not (isinstance(stage, Campaign) and not may_grow)


@given(sections, budgets, begins, st.integers(1, 4))
def test_the_stages_end_before_the_decay(
    section: Trunk, budget: float, share: float, workers: int
) -> None:
    """If costs are as foreseen, the decay loses nothing; on one worker they take turns."""
    table = Timetable.of_seconds(section, budget, workers)
    steps = simulated(table, begin_of(share, budget), Overheads(), workers)
    for step in steps:
        assert step.after.now <= table.decay_begins * (1.0 + 1e-9)
    if steps:
        assert steps[-1].after.now > table.decay_begins - 0.02 * budget


@given(sections, budgets, begins, st.integers(1, 4))
def test_every_mark_gets_its_commit(
    section: Trunk, budget: float, share: float, workers: int
) -> None:
    """Each that lies after the first campaign, once and in time, in order."""
    table = Timetable.of_seconds(section, budget, workers)
    steps = simulated(table, begin_of(share, budget), Overheads(), workers)
    marks = [step.stage.mark for step in steps if isinstance(step.stage, Cool)]
    first = [step.after.now for step in steps if isinstance(step.stage, Campaign)][:1]
    begun = max([begin_of(share, budget), *first])
    last = table.decay_begins - 0.02 * budget  # no time is left for a mark after it
    assert marks == sorted(set(marks))
    assert {mark for mark in table.marks if begun < mark < last} <= set(marks)
    for step in steps:
        if isinstance(step.stage, Cool):
            late = 0.01 * min(budget, 10.0 * step.stage.mark)
            assert step.after.now <= step.stage.mark + late + 1e-6


@given(sections, budgets, begins, st.integers(1, 4), st.floats(0.0, 300.0))
def test_a_campaign_ends_before_the_next_commit_begins(
    section: Trunk, budget: float, share: float, workers: int, screening: float
) -> None:
    """Also where updates are costly: all candidates re-warm, so fewer are tried, or none."""
    table = Timetable.of_seconds(section, budget, workers)
    begin = begin_of(share, budget)
    for step in simulated(table, begin, Overheads(), workers, screening=screening):
        if isinstance(step.stage, Campaign):
            assert 1 <= step.stage.candidates <= section.candidates
            assert step.stage.screen >= screening
            due = [mark for mark in table.marks if mark > step.before.now]
            ends = (1.0 - section.cool) * due[0] if due else table.decay_begins
            if step.before.campaigns:
                assert step.after.now <= ends * (1.0 + 1e-9)
            contest = 2.0 * step.stage.candidates * step.stage.screen
            assert step.stage.contest <= contest * (1.0 + 1e-9)
            assert step.after.now <= table.decay_begins * (1.0 + 1e-9)


@given(sections, budgets, begins, overheads)
def test_a_commit_is_missed_only_by_a_stage_that_took_too_long(
    section: Trunk, budget: float, share: float, over: Overheads
) -> None:
    """A mark without a commit lies within a stage that was to end before it, or is the first's."""
    table = Timetable.of_seconds(section, budget)
    steps = simulated(table, begin_of(share, budget), over, workers=8)
    committed = {step.stage.mark for step in steps if isinstance(step.stage, Cool)}
    last = table.decay_begins - 0.02 * budget
    for mark in set(table.marks) - committed:
        if not begin_of(share, budget) < mark < last:
            continue
        (missing,) = [s for s in steps if s.before.now < mark <= s.after.now]
        took = missing.after.now - missing.before.now
        stage = missing.stage
        planned = stage.cost if isinstance(stage, Alone | Cool) else cost_of(stage)
        assert took > planned or missing.before.campaigns == 0


def cost_of(campaign: Campaign) -> float:
    if campaign.untested:
        return campaign.screen
    return campaign.candidates * campaign.screen + campaign.contest


@given(sections, budgets, begins, overheads)
def test_campaigns_exceed_their_share_by_one_at_most(
    section: Trunk, budget: float, share: float, over: Overheads
) -> None:
    """Each begins within the share of the trunk's own training; none after its last time."""
    table = Timetable.of_seconds(section, budget)
    for step in simulated(table, begin_of(share, budget), over):
        if not isinstance(step.stage, Campaign):
            continue
        assert step.before.now < section.until * budget
        if step.before.campaigns:
            allowed = section.deciding * step.before.trained
            assert step.before.deciding <= allowed * (1.0 + 1e-9)
            assert step.stage.contest > 0.0


@given(sections, budgets, begins)
def test_the_first_campaign_comes_at_once(section: Trunk, budget: float, share: float) -> None:
    """Before the first commit, since a growth pays most at the begin; if there is room for one.

    Very early one growth is not compared with anything: that would take as long as all before it.
    """
    table = Timetable.of_seconds(section, budget)
    begin = begin_of(share, budget)
    steps = simulated(table, begin, Overheads())
    room = table.decay_begins - begin
    untested = begin < section.untested * budget
    screens = (1 if untested else section.candidates) * section.screen * budget
    contest = 0.0 if untested else section.contest * begin
    graphs = 0.0 if untested else section.candidates * table.graph
    most = 1.5 * (screens + contest) + graphs  # with evaluations
    if begin < section.until * budget and most < room and steps:
        first = steps[0].stage
        assert isinstance(first, Campaign)
        assert first.untested == (first.contest == 0.0) == untested
        share = min(section.screen * budget, begin / 6.0)  # shorter, to end before a commit
        assert 0.3 * share <= first.screen * (1.0 + 1e-9) <= share * (1.0 + 2e-9)
        if untested or not table.marks:
            assert first.screen == pytest.approx(share)
    assert not any(isinstance(each.stage, Campaign) and each.stage.untested for each in steps[1:])


@given(sections, st.floats(1.0, 2000.0))
def test_a_run_by_updates_ends_too(section: Trunk, begin: float) -> None:
    """Its time passes with the trunk's own training alone: a commit takes none of it."""
    table = Timetable.of_updates(section.model_copy(update={"steps": 5_000}))
    now, marks = Progress(begin, begin, 0.0, 0, 0.0), []
    for _ in range(MOST):
        stage = table.next(now)
        if stage is None:
            break
        if isinstance(stage, Cool):
            marks.append(stage.mark)
            now = replace(now, cooled=stage.mark)
        else:
            now = after(stage, now, Overheads(), 2)
            now = replace(now, now=now.trained)
    else:
        pytest.fail("the run does not end")
    assert marks == sorted(set(marks))
    assert now.now <= max(begin, table.decay_begins * (1.0 + 1e-9))


def test_a_trunk_that_was_not_trained_is_trained_first() -> None:
    """At a time of 0 there is nothing to compare growths with."""
    for screening in (0.0, 146.0):
        stage = Timetable.of_updates(Trunk()).next(Progress(0.0, 0.0, 0.0, 0, 0.0, screening))
        assert stage == Alone(1600.0)


# --- budgets --------------------------------------------------------------------------------------

# 3 s for a new graph, half a second for each job's evaluations, 112 updates of a growth at 25 to
# 32 ms: as measured on two processors.
REAL = Overheads(job=0.5, graph=3.0)
SCREENING = 3.6


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize(
    ("budget", "begin", "campaigns", "commits"),
    [
        (20.0, 8.0, 0, 0),
        (60.0, 14.0, 1, 0),
        (300.0, 14.0, 2, 2),
        (600.0, 14.0, 3, 3),
        (28_800.0, 14.0, 8, 8),
    ],
)
def test_the_shipped_spaces_try_many_growths(
    name: str, budget: float, begin: float, campaigns: int, commits: int
) -> None:
    """On two workers: at least 15 growths in ten minutes, each with every commit in time."""
    section = SearchSpace.load(name).trunk_section
    table = Timetable.of_seconds(section, budget, 2)
    steps = simulated(table, begin, REAL, screening=SCREENING)
    stages = [step.stage for step in steps]
    assert sum(isinstance(stage, Campaign) for stage in stages) == campaigns
    assert [stage.mark for stage in stages if isinstance(stage, Cool)] == list(table.marks)
    assert len(table.marks) == commits
    if budget >= 600.0:
        assert sum(each.candidates for each in stages if isinstance(each, Campaign)) >= 15
    assert steps[-1].after.now < table.decay_begins + 1.0


def test_one_worker_takes_fewer_growths() -> None:
    """They take turns with the trunk, and the decay begins in time all the same."""
    table = Timetable.of_seconds(Trunk(), 600.0, 1)
    steps = simulated(table, 14.0, REAL, workers=1)
    assert sum(isinstance(step.stage, Campaign) for step in steps) == 4
    assert [step.stage.mark for step in steps if isinstance(step.stage, Cool)] == [60, 120, 240]
    assert steps[-1].after.now < table.decay_begins + 1.0


@pytest.mark.parametrize("seconds", [6.0, 9.0])
def test_candidates_that_take_longer_are_fewer(seconds: float) -> None:
    """If a re-warming needs more than the share of a screening, the share still holds."""
    section = Trunk(screen=seconds / 600.0)
    table = Timetable.of_seconds(section, 600.0, 2)
    steps = simulated(table, 14.0, REAL)
    assert 9 <= section.candidates * steps[-1].after.campaigns <= 21
    assert steps[-1].after.deciding <= section.deciding * steps[-1].after.trained + 4.5 * seconds


def test_a_first_campaign_that_compares_ends_before_a_commit() -> None:
    """Of a network that was given, with costly updates: two commits are missed, and no third."""
    section = SearchSpace.load("fashion_mnist").trunk_section
    table = Timetable.of_seconds(section.model_copy(update={"untested": 0.0}), 600.0, 2)
    first, *later = simulated(table, 45.0, Overheads(graph=2.0, slow=1.5), screening=14.6)
    assert isinstance(first.stage, Campaign)
    assert first.stage.candidates == 5
    assert 96.0 < first.after.now < 192.0
    assert [step.stage.mark for step in later if isinstance(step.stage, Cool)] == [240.0]
