"""The measured step of widths: probed once a run, and stored."""

from __future__ import annotations

from optuna.study import Study

from growsearch.execution.dispatch import Dispatcher
from growsearch.space import SearchSpace
from growsearch.space.sections import WIDTH_MULTIPLE
from growsearch.study.attributes import WidthMultipleAttribute
from growsearch.trials.fast_widths import WidthProbeJob


def with_measured_widths(study: Study, space: SearchSpace, dispatcher: Dispatcher) -> SearchSpace:
    """Return the space with ``limits.width_multiple = "auto"`` replaced by what was measured.

    It is measured once a run and stored, so that all parts of the run agree.
    """
    if space.limits.width_multiple != "auto":
        return space
    known = WidthMultipleAttribute.read(study)
    if known is None:
        measured = dispatcher.execute(WidthProbeJob(space.teacher.plan), "teacher")
        known = WidthMultipleAttribute(value=WIDTH_MULTIPLE if measured is None else measured)
        known.write(study)
    return space.with_width_multiple(known.value)
