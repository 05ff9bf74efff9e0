"""The timetable of a trunk: when candidates are tried, forks are cooled, and the decay begins.

It is a pure function of the time that has passed. Times are seconds of the run where it has a time
budget; else they are updates of the first network, so that a run repeats to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.space.sections import Trunk

_MINUTE = 60.0
_SHORTEST = 0.01  # of the total: no stage of the trunk alone is shorter
_LONGEST = 0.1  # of the total: after each stage the trunk is stored


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
    """

    screen: float
    contest: float


@dataclass(frozen=True)
class Cool:
    """Cool forks of the trunk, and commit to their average.

    Parameters
    ----------
    cost : float
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
    """

    now: float
    trained: float
    deciding: float
    campaigns: int
    cooled: float


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

    Examples
    --------
    >>> table = Timetable.of_seconds(Trunk(), 600.0)
    >>> table.decay_begins, table.marks
    (360.0, (60.0, 120.0, 240.0))
    >>> table.next(Progress(now=14.0, trained=8.0, deciding=0.0, campaigns=0, cooled=0.0))
    Campaign(screen=4.8, contest=0.0)
    """

    section: Trunk
    total: float
    first_mark: float

    @classmethod
    def of_seconds(cls, section: Trunk, budget: float) -> Timetable:
        """Return the timetable of a run with a time budget: commits at 1, 2, 4, 8 … minutes."""
        return cls(section, budget, _MINUTE)

    @classmethod
    def of_updates(cls, section: Trunk) -> Timetable:
        """Return the timetable of a run without one: commits at 1/10, 2/10, 4/10 of its updates."""
        return cls(section, float(section.steps), section.steps / 10.0)

    @property
    def decay_begins(self) -> float:
        """The time at which the trunk ends, and its decay begins."""
        return (1.0 - self.section.decay) * self.total

    @property
    def marks(self) -> tuple[float, ...]:
        """The times of the commits before the decay."""
        marks, mark = [], self.first_mark
        while mark < self.decay_begins:
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
        now, section = progress.now, self.section
        left = self.decay_begins - now
        shortest = _SHORTEST * self.total
        if left < shortest:
            return None
        campaign = self._campaign(now)
        grows_at_all = may_grow and now < self.growth_ends
        if grows_at_all and progress.campaigns == 0:
            return campaign  # before the first commit: a growth pays most at the begin
        due = next((mark for mark in self.marks if mark > max(now, progress.cooled)), None)
        cools = self.decay_begins if due is None else (1.0 - section.cool) * due
        if due is not None and now >= cools - shortest:
            return Cool(max(due - now, shortest), due)
        if grows_at_all:
            grows = self._affordable_at(progress, campaign)
            if now >= grows and (campaign.contest + self._screens(campaign) <= cools - now):
                return campaign
        else:
            grows = self.decay_begins
        until = min(cools, grows if grows > now else cools, now + _LONGEST * self.total)
        return Alone(max(until - now, shortest))

    def _campaign(self, now: float) -> Campaign:
        """Return a campaign that begins now."""
        section = self.section
        is_early = now < section.untested * self.total
        return Campaign(section.screen * self.total, 0.0 if is_early else section.contest * now)

    def _screens(self, campaign: Campaign) -> float:
        """Return the cost of all candidates of a campaign."""
        return self.section.candidates * campaign.screen

    def _affordable_at(self, progress: Progress, campaign: Campaign) -> float:
        """Return the time from which a campaign takes no more than its share."""
        if progress.campaigns == 0:
            return progress.now
        expected = progress.deciding + self._screens(campaign) + campaign.contest
        return progress.now + max(expected / self.section.deciding - progress.trained, 0.0)
