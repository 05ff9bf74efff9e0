"""Reports of an export: its file, how far it agrees with the network, and its figures."""

from __future__ import annotations

from growsearch.exports import Export


def lines(record: Export) -> list[str]:
    """Return an export as lines.

    Parameters
    ----------
    record : Export
    """
    chosen = record.validation_accuracy
    found = record.agreement
    first = f"{record.path}: {record.parameters:,} parameters"
    rows = [
        ("network", record.source),
        ("input", record.input),
        ("output", record.output),
        (
            "max |Δ|",
            f"{found.largest:.2g}, {found.relative:.2g} of the largest output (allowed: "
            f"{found.tolerance:.2g}), by {record.runtime} on {found.images} {found.kind}",
        ),
    ]
    if record.accuracy is not None and record.searched_accuracy is not None:
        rows.append(
            (
                "accuracy",
                f"{record.searched_accuracy:.4f} → {record.accuracy:.4f}, on {record.measured_on}",
            )
        )
    rows.append(("size", f"{record.bytes / 1000.0:,.1f} kB"))
    peak = record.peak_activation_bytes
    if peak is not None:
        rows.append(("memory", f"{peak / 1000.0:,.1f} kB of activations at most, by the graph"))
    rows.append(
        (
            "time",
            f"{record.milliseconds:.3g} ms an image, median of {record.calls} on {record.machine}",
        )
    )
    rows += [("note", note) for note in record.notes]
    rows.append(("beside it", ", ".join(path.name for path in record.files)))
    reached = "" if chosen is None else f", validation accuracy {chosen:.4f}"
    return [f"{first}{reached}", *(f"{name:<14}{value}" for name, value in rows)]
