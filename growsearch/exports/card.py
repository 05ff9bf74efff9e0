"""The model card of an export: what it is, what it reached, what it descends from, its limits."""

from __future__ import annotations

from growsearch.exports.images import Images
from growsearch.exports.record import Export
from growsearch.exports.subject import Subject
from growsearch.study.attributes import DataAttribute
from growsearch.study.result import SearchResult
from growsearch.trials.metrics import METRICS


def card(record: Export, subject: Subject, images: Images, *, labels: str) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    record : Export
    subject : Subject
    images : Images
    labels : str
        The name of the file with the names of the classes.
    """
    sections = {
        "Use": _use(record, subject, labels),
        "Data": _data(subject.result, images),
        "Accuracy": _accuracy(record, subject),
        "Check": _check(record),
        "Size and speed": _size(record),
        "Lineage": _lineage(subject),
        "Limits": _limits(record, subject, images),
        "Made by": _made_by(record),
    }
    lines = [f"# {record.path.name}", "", f"{_sentence(record, subject)}", ""]
    for title, text in sections.items():
        lines += [f"## {title}", "", *text, ""]
    return "\n".join(lines)


def _sentence(record: Export, subject: Subject) -> str:
    return (
        f"A network with {subject.network.outputs} outputs and {record.parameters:,} parameters, "
        f"{record.source}, in the format {record.format}."
    )


def _use(record: Export, subject: Subject, labels: str) -> list[str]:
    named = "names" if subject.network.class_names else "numbers: no names are known"
    return [
        f"- Input: {record.input}. Channels are last (NHWC).",
        f"- Output: {record.output}.",
        f"- Classes: a line each in `{labels}`, in the order of the outputs ({named}).",
        f"- Runtime: {record.runtime}.",
    ]


def _data(result: SearchResult | None, images: Images) -> list[str]:
    if result is None:
        return [f"- Images: {images.about or 'unknown'}. The training images are not recorded."]
    lines = [f"- Source: {result.data_source}."]
    about = DataAttribute.read(result.study)
    if about is not None:
        lines.append(f"- SHA-256 of images and labels: `{about.fingerprint}`.")
    if result.stand_in:
        lines.append("- **Stand-in data**: not the data set of the search space.")
    if result.class_names:
        lines.append(f"- Classes: {', '.join(result.class_names)}.")
    return lines


def _accuracy(record: Export, subject: Subject) -> list[str]:
    rows: list[tuple[str, str, float]] = []
    result = subject.result
    if result is not None and subject.validation_accuracy is not None:
        metric = METRICS[result.metric].words
        on = "the validation images that it was chosen on"
        rows.append((f"{metric} of the search", on, subject.validation_accuracy))
    if result is not None and subject.is_best:
        if result.held_out_accuracy is not None:
            on = "the held-out validation images"
            rows.append(("accuracy of the search", on, result.held_out_accuracy))
        if result.test_accuracy is not None:
            rows.append(("accuracy of the search", "the test images", result.test_accuracy))
    if record.searched_accuracy is not None and record.accuracy is not None:
        rows.append(("accuracy of the network", record.measured_on, record.searched_accuracy))
        rows.append(("**accuracy of this file**", record.measured_on, record.accuracy))
    if not rows:
        return ["Not measured: there were no images with labels."]
    table = [f"| {what} | {on} | {value:.4f} |" for what, on, value in rows]
    return ["| figure | images | value |", "|---|---|---|", *table]


def _check(record: Export) -> list[str]:
    found = record.agreement
    return [
        f"Loaded by {record.runtime} and compared with the searched network, computed in float64, "
        f"on {found.images} {found.kind}: max |Δ| is {found.largest:.2g}, {found.relative:.2g} of "
        f"the largest output (allowed: {found.tolerance:.2g}); {found.same_class:.1%} of the "
        "largest outputs are of the same class.",
    ]


def _size(record: Export) -> list[str]:
    peak = record.peak_activation_bytes
    return [
        f"- File: {record.bytes:,} bytes; {record.parameters:,} parameters; {record.flops:,} FLOPs "
        "an image.",
        f"- Activations: {'unknown' if peak is None else f'{peak:,} bytes'} at most at a time, by "
        "the graph, without a runtime's own memory.",
        f"- Time: {record.milliseconds:.3g} ms an image, the median of {record.calls} calls with "
        f"one image on {record.machine}.",
    ]


def _lineage(subject: Subject) -> list[str]:
    result = subject.result
    if result is None:
        return [f"- {subject.source}"]
    first = "the first network of the search" if result.start is None else f"{result.start.source}"
    return [
        f"1. {first}",
        *(f"{place}. {each}" for place, each in enumerate(subject.lineage, 2)),
        "",
        f"Architecture: `{subject.network.architecture}`",
    ]


def _limits(record: Export, subject: Subject, images: Images) -> list[str]:
    lines = []
    if subject.result is not None:
        lines.append(
            "- The search chose among many networks on its validation images: that figure is too "
            "high as a rule. Those on held-out and test images are not."
        )
        lines.append(
            "- The figures hold for images like these. Nothing was measured on others, on damaged "
            "ones, or on images of no class; the network gives one of its classes for each."
        )
    else:
        lines.append("- Nothing is known here of the network's training.")
    if not images.are_real:
        lines.append("- The comparison used random inputs, which are no images of the task.")
    if record.format == "tflite-int8":
        lines.append(
            "- Weights and activations are rounded to 8 bits, by ranges of training images: inputs "
            "beyond them are cut off."
        )
    lines.append("- The probabilities or logits were not calibrated: they are no confidence.")
    return [*lines, *(f"- Note: {note}." for note in record.notes)]


def _made_by(record: Export) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    again = ["", "```sh", record.command, "```"] if record.command else []
    return [f"{versions}.", *again]
