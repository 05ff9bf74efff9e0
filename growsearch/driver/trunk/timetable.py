"""The timetable of a trunk: when candidates are tried, a fork is cooled, and the decay begins.

It is a pure function of the time that has passed. Times are seconds of the run where it has a time
budget; else they are updates of the first network, so that a run repeats to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.space.sections import Trunk

_MINUTE = 60.0
_UNLIMITED = 10**6  # workers
_SHORTEST = 0.01, 0.1  # of the total, of the time that has passed: no stage is shorter than both
_LONGEST = 0.1  # of the total: after each stage the trunk is stored
_SCREENED = 1 / 6  # of the time that has passed: longest first training, but for re-warming
_CONTESTED = 2  # first trainings of a campaign: no contest takes longer
_AROUND = 1.5  # of a training's cost: with its evaluations, beside another one, it takes so long
_GRAPH = 2.0  # seconds that a new architecture's graph takes, on one of two processors
_ROOM = 0.75  # of the time until the fork of a commit: more is the trunk's own
_FEWEST = 4  # candidates that are worth a campaign while another one may follow
_FEWEST_LAST = 2  # … where none may: all of the time is room, and the decay is what it pays in
_LAST_MARK = 0.75  # of the time before the decay: a later commit costs more than it is worth
_SHRUNK = 0.3  # of its cost: so little may a training take to end before the next commit


@dataclass(frozen=True)
class Alone:
    """Train the trunk on, with nothing beside it but controls."""

    cost: float


@dataclass(frozen=True)
class Campaign:
    """Try growths beside the trunk.

    Parameters
    ----------
    screen : float
        Cost of the training of each candidate.
    contest : float
        Cost of the further training of the best of them; 0 where it is kept without a contest.
    candidates : int
        Growths that are tried, at most.
    untested : bool
        Whether one growth is kept without a comparison, in place of several that are compared.
    """

    screen: float
    contest: float
    candidates: int = 1
    untested: bool = False


@dataclass(frozen=True)
class Cool:
    """Cool a fork of the trunk, and commit to it.

    Parameters
    ----------
    cost : float
        Of the fork's training.
    mark : float
        The time at which the commit is due.
    """

    cost: float
    mark: float


Stage = Alone | Campaign | Cool


@dataclass(frozen=True)
class Progress:
    """The progress of a trunk, as far as the timetable looks at it.

    Parameters
    ----------
    now : float
        The time that has passed.
    trained : float
        Cost of the trunk's own training, that of the first network included.
    deciding : float
        Cost of the training of candidates so far.
    campaigns : int
        Campaigns so far.
    cooled : float
        The mark of the last commit; 0 before the first.
    screening : float
        The least cost of a candidate's first training, whose rate has to rise again; 0 is any cost.
    """

    now: float
    trained: float
    deciding: float
    campaigns: int
    cooled: float
    screening: float = 0.0


@dataclass(frozen=True)
class Timetable:
    """The stages of a run with a trunk.

    Parameters
    ----------
    section : Trunk
        Of the search space: shares of the total.
    total : float
        The time of the whole run.
    first_mark : float
        The time of the first commit; each later one is at twice the time of the one before.
    workers : int
        Trainings that run side by side; more of them take turns.
    graph : float
        The time that each candidate takes besides its training.

    Examples
    --------
    >>> table = Timetable.of_seconds(Trunk(), 600.0)
    >>> table.decay_begins, table.marks
    (360.0, (60.0, 120.0, 240.0))
    >>> table.next(Progress(now=15.0, trained=8.0, deciding=0.0, campaigns=0, cooled=0.0))
    Campaign(screen=2.5, contest=0.0, candidates=1, untested=True)
    """

    section: Trunk
    total: float
    first_mark: float
    workers: int = _UNLIMITED
    graph: float = 0.0

    @classmethod
    def of_seconds(cls, section: Trunk, budget: float, workers: int = _UNLIMITED) -> Timetable:
        """Return the timetable of a run with a time budget: commits at 1, 2, 4, 8 … minutes."""
        return cls(section, budget, _MINUTE, workers, _GRAPH)

    @classmethod
    def of_updates(cls, section: Trunk) -> Timetable:
        """Return the timetable of a run without one: commits at 1/10, 2/10, 4/10 of its updates.

        Its time passes with the trunk's own training alone, on any number of workers.
        """
        return cls(section, float(section.steps), section.steps / 10.0)

    @property
    def decay_begins(self) -> float:
        """The time at which the trunk ends, and its decay begins."""
        return (1.0 - self.section.decay) * self.total

    @property
    def marks(self) -> tuple[float, ...]:
        """The times of the commits before the decay, but for one shortly before it."""
        marks, mark = [], self.first_mark
        while mark <= _LAST_MARK * self.decay_begins:
            marks.append(mark)
            mark *= 2.0
        return tuple(marks)

    @property
    def growth_ends(self) -> float:
        """The time after which no candidate is tried: a new layer has to pay before the decay."""
        return self.section.until * self.total

    def next(self, progress: Progress, *, may_grow: bool = True) -> Stage | None:
        """Return the next stage; None where the trunk ends.

        Parameters
        ----------
        progress : Progress
        may_grow : bool
            False where no candidate is to be tried any more.
        """
        now = progress.now
        left = self.decay_begins - now
        shortest = self._shortest(now)
        if left < shortest:
            return None
        may_grow = may_grow and now < self.growth_ends
        if may_grow and progress.campaigns == 0:
            campaign = self._first(progress)
            if campaign is not None:
                return campaign  # before the first commit: a growth pays most at the begin
        due = next((mark for mark in self.marks if mark > max(now, progress.cooled)), None)
        cools = self.decay_begins if due is None else self._cools(due)
        if due is not None and now >= cools - shortest:
            return Cool(max(due - now, shortest), due)
        until = min(cools, now + _LONGEST * self.total)
        if may_grow and due != self.first_mark:  # what is seen first is to be good
            waits = self._waits(progress)
            room, fewest = (1.0, _FEWEST_LAST) if due is None else (_ROOM, _FEWEST)
            campaign = self._campaign(progress, room * (cools - now), fewest)
            if waits > 0.0:
                until = min(until, now + waits)
            elif campaign is not None:
                return campaign
        return Alone(max(until - now, shortest))

    def _cools(self, mark: float) -> float:
        """Return the time at which the fork of a commit begins."""
        return (1.0 - self.section.cool) * mark

    def _shortest(self, now: float) -> float:
        """Return the least cost of a stage: early ones are shorter, as the commits are closer."""
        of_total, of_passed = _SHORTEST
        return min(of_total * self.total, of_passed * now)

    def _first(self, progress: Progress) -> Campaign | None:
        """Return the first campaign: very early it is one growth that is compared with nothing.

        If it compares, it ends before a commit, the first before which there is room for it.
        """
        now = progress.now
        if now < self.section.untested * self.total:
            screen, shortest = self._screen(progress)
            screen = min(screen, (self.decay_begins - now) / _AROUND)
            return Campaign(screen, 0.0, untested=True) if 0.0 < shortest <= screen else None
        ends = [*map(self._cools, self.marks), self.decay_begins]
        for end in (each for each in ends if each > now):
            if (found := self._campaign(progress, end - now, _FEWEST_LAST)) is not None:
                return found
        return None

    def _campaign(self, progress: Progress, room: float, fewest: int) -> Campaign | None:
        """Return a campaign that begins now and has some room; None where that is too little.

        It has as many candidates as fit. The contest takes twice as long as the first trainings of
        all at most: the time is worth more trials.
        """
        section, around = self.section, _AROUND * self._turns(2)
        screen, shortest = self._screen(progress)
        if not screen > 0.0:
            return None

        def contest(candidates: int) -> float:
            return min(section.contest * progress.now, _CONTESTED * candidates * screen)

        longest = contest(section.candidates)
        most = int((room - around * longest) / (around * screen + self.graph))
        candidates = min(max(most, fewest), section.candidates)
        trainings = around * (candidates * screen + contest(candidates))
        fits = min((room - candidates * self.graph) / trainings, 1.0)
        if not fits * screen >= shortest:
            return None
        return Campaign(fits * screen, fits * contest(candidates), candidates)

    def _screen(self, progress: Progress) -> tuple[float, float]:
        """Return the cost of a candidate's first training, and the least that is worth it.

        Early in a long run it is short, since the trunk's loss falls fast; both are 0 before the
        trunk was trained. It is never shorter than a re-warming.
        """
        share = min(self.section.screen * self.total, _SCREENED * progress.now)
        if not share > 0.0:
            return 0.0, 0.0
        return max(share, progress.screening), max(_SHRUNK * share, progress.screening)

    def _turns(self, trainings: int) -> int:
        """Return how often the workers take up trainings that could run side by side."""
        return -(-trainings // self.workers)

    def _waits(self, progress: Progress) -> float:
        """Return the cost of the trunk's own training until the campaigns are within their share.

        The campaign that begins then may exceed it.
        """
        return max(progress.deciding / self.section.deciding - progress.trained, 0.0)
