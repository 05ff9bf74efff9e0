"""The result of a run as a notebook shows it: HTML without scripts, in the notebook's colours."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from growsearch.networks.outline import outline
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.metrics import METRICS
from growsearch.trials.records import TrialRecord

if TYPE_CHECKING:
    from growsearch.study.result import SearchResult

_ROWS = 12  # trials of the table; of more, the last ones
_LEFT = ' style="text-align: left"'


def html_of(result: SearchResult) -> str:
    """Return a result as a heading, a table of its figures, and a table of its trials."""
    return "".join(
        (
            "<div>",
            f"<p><strong>{_headline(result)}</strong></p>",
            _facts(result),
            _trials(result),
            "</div>",
        )
    )


def _headline(result: SearchResult) -> str:
    best, metric = result.best, METRICS[result.metric].words
    after = f"trial {best.trial_number}" if best.trial_number is not None else "the first network"
    score = result.test_score
    test = "" if score is None else f", test {metric} {score:.4f}"
    return html.escape(
        f"{outline(best.network.architecture)}: {best.network.parameters:,} parameters, validation "
        f"{metric} {best.validation_accuracy:.4f}{test} ({after})"
    )


def _facts(result: SearchResult) -> str:
    """Return the figures of a run beside those of its first network, and its evidence."""
    kept = sum(trial.kept for trial in result.trials)
    evidence = result.evidence()
    rows = [
        ("first network", f"validation {result.teacher_accuracy:.4f}"),
        ("trials", f"{len(result.trials)}, {kept} kept"),
        *(("evidence", f"{each}") for each in evidence.overall),
        ("images", result.data_source + (" (a stand-in)" if result.stand_in else "")),
        ("folder", str(result.folder)),
    ]
    if result.ended:
        rows.append(("ended", result.ended))
    lines = (
        f'<tr><th scope="row"{_LEFT}>{html.escape(name)}</th>'
        f"<td{_LEFT}>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table><caption>The run</caption><tbody>{''.join(lines)}</tbody></table>"


def _trials(result: SearchResult) -> str:
    if not result.trials:
        return ""
    shown = result.trials[-_ROWS:]
    arms = tuple(dict.fromkeys((CANDIDATE, *(arm for each in shown for arm in each.arms))))
    more = f", the last {_ROWS} of {len(result.trials)}" if len(result.trials) > _ROWS else ""
    caption = f"Trials{more}: validation {METRICS[result.metric].words} of all arms"
    heads = ("trial", "", "growth", "parameters", *arms)
    head = "".join(f'<th scope="col"{_LEFT}>{html.escape(name)}</th>' for name in heads)
    rows = "".join(_row(_cells(trial, arms)) for trial in shown)
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _cells(trial: TrialRecord, arms: Sequence[str]) -> list[str]:
    decision = "kept" if trial.kept else {"FAIL": "failed", "PRUNED": "pruned"}.get(trial.state)
    found = (trial.arms.get(arm) for arm in arms)
    values = [
        "" if e is None else "failed" if e.accuracy is None else f"{e.accuracy:.4f}" for e in found
    ]
    return [
        str(trial.number),
        decision or "not kept",
        trial.growth,
        f"{trial.parameters:,}",
        *values,
    ]


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td{_LEFT}>{html.escape(each)}</td>" for each in cells) + "</tr>"
