"""The report as a file: the page's template filled with a run, plotly's script and the styles."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from growsearch import __version__
from growsearch.atomic import write_atomically
from growsearch.checks import expanded
from growsearch.errors import RunError
from growsearch.page import facts, repeat
from growsearch.page.classes import class_rows
from growsearch.page.drawing import colour_of, drawn
from growsearch.page.lineage import lineage_of_best, steps
from growsearch.page.plots import curves, plots, templates
from growsearch.page.trials import views
from growsearch.reports.evidence_notes import notes
from growsearch.reports.front import front_cells
from growsearch.reports.tables import by_metric
from growsearch.reports.times import span
from growsearch.study.result import SearchResult
from growsearch.trials.demands import DEMANDS
from growsearch.trials.metrics import METRICS

if TYPE_CHECKING:
    from jinja2 import Environment

FILE = "report.html"  # in the run folder
_SHARES = {
    "descent": "updates that the best network descends from",
    "deciding": "deciding between growths",
    "controls": "controls",
    "commits": "other commits",
    "around": "loading, compiling, evaluation",
    "idle": "idle",
}


def write_report(result: SearchResult, out: str | Path | None = None) -> Path:
    """Write the report of a run; return its path.

    Parameters
    ----------
    result : SearchResult
    out : path, optional
        The file; by default ``report.html`` in the run folder.

    Raises
    ------
    RunError
        When it cannot be written.

    Examples
    --------
    >>> from growsearch import load_result
    >>> write_report(load_result("runs/mnist"))             # doctest: +SKIP
    PosixPath('runs/mnist/report.html')
    """
    path = result.folder / FILE if out is None else expanded(out)
    text = render(result)
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise RunError(f"{path}: the report cannot be written: {error.strerror}") from None
    return path


def render(result: SearchResult) -> str:
    """Return the report of a run as the text of an HTML file."""
    lineage, gap = lineage_of_best(result)
    first = result.teacher_architecture
    evidence = result.evidence()
    parameters = None if first is None else first.parameters
    course = result.anytime
    scripts = {"plotly": _plotly(), "own": _text("report.js")}
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            metric=METRICS[result.metric].words,
            name=result.folder.absolute().name or str(result.folder),
            space=result.study.study_name,
            version=__version__,
            ended=facts.has_ended(result),
            lead=facts.lead(result, parameters),
            figures=facts.figures(result, parameters),
            sentence=facts.evidence_sentence(result),
            front=front_cells(result.front, result.metric) if result.front else None,
            demand=DEMANDS[result.demand].words if result.demand else "",
            evidence=evidence,
            notes=[(term, by_metric(text, result.metric)) for term, text in notes(evidence)],
            plots=plots(result),
            trials=views(result, [each.trial for each in lineage]),
            first=first,
            lineage=lineage,
            gap=gap,
            steps=steps(lineage, result),
            drawing=drawn([each.architecture for each in lineage]),
            spent=sorted(result.spent.items(), key=lambda part: -part[1]),
            shares=None if course is None else course.shares,
            share_names=_SHARES,
            classes=class_rows(result),
            about=repeat.about(result),
            space_toml=repeat.space_text(result),
            command=repeat.command(result),
            images_to_name=repeat.images_to_name(result),
            environment=repeat.environment(result),
            data={"curves": curves(result), "templates": templates()},
            style=_safe(_text("style.css")),
            scripts={name: _safe(text) for name, text in scripts.items()},
            hashes=[_hash(text) for text in scripts.values()],
        )
    )


@cache
def _environment() -> Environment:
    """Return the templates' environment: all that is not a template's own text is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("growsearch.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "fixed": lambda value: "–" if value is None else f"{value:.4f}",
        "signed": facts.signed,
        "count": lambda value: f"{value:,}",
        "span": span,
        "percent": facts.percent,
        "base64": lambda text: base64.b64encode(text.encode()).decode(),
    }
    made.globals |= {"colour": colour_of}
    return made


def _safe(text: str) -> Any:
    """Mark a text of this package, or of plotly's, as one that stands in the page as it is."""
    from markupsafe import Markup

    return Markup(text)


def _text(name: str) -> str:
    return files("growsearch.page").joinpath("templates", name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _hash(script: str) -> str:
    """Return a script's hash for the page's policy: the browser runs no other script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
