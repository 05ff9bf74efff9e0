"""The outline of an architecture: the widths of its hidden layers, stage by stage."""

from __future__ import annotations

from itertools import groupby

from growsearch.networks.architecture import Architecture


def outline(architecture: Architecture) -> str:
    """Return the widths of the dense layers and convolutions before the output, in order.

    Those of a stage, whose outputs are images of one size, stand in brackets where they are
    several. Layers that join branches are counted. An outline is for reading only: other
    architectures may have the same.

    Examples
    --------
    >>> text = "3x3x16(a)-3x3x16(b)-pool1-3x3x32(c)-pool2-3x3x64(d)-global_avg_pool(e)-10(f)"
    >>> outline(Architecture.parse(text, input_shape=(28, 28, 1)))
    '[16-16]-32-64'
    """
    hidden = [node for node in architecture.nodes[:-1] if node.layer.is_producer]
    stages = groupby(hidden, key=lambda node: architecture.shapes[node.name][:-1])
    parts = []
    for _, nodes in stages:
        widths = [str(node.layer.width) for node in nodes]
        parts.append(widths[0] if len(widths) == 1 else f"[{'-'.join(widths)}]")
    joins = sum(len(node.inputs) > 1 for node in architecture.nodes)
    joined = f" + {joins} join{'s' * (joins > 1)}" if joins else ""
    return ("-".join(parts) or "no hidden layer") + joined
