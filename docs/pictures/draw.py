"""The pictures of the idea as SVG; ``python docs/pictures/draw.py`` writes them again.

Each has a title and a description for screen readers, and its colours follow light and dark: those
of the page where it is part of one, else those of the reader's system.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent
STYLE = """<style>
svg.picture { --ink: #1b1f24; --soft: #6b7280; --fill: #eef0f3; --new: #0a7d4f; --mark: #b3441e; }
@media (prefers-color-scheme: dark) {
  svg.picture { --ink: #e6e8eb; --soft: #9aa1ab; --fill: #262a30; --new: #4cc38a; --mark: #ff9470; }
}
</style>"""
INK, SOFT, FILL, NEW, MARK = (f"var(--{name})" for name in ("ink", "soft", "fill", "new", "mark"))


def text(
    x: float,
    y: float,
    words: str,
    *,
    color: str = INK,
    size: int = 15,
    anchor: str = "middle",
    bold: bool = False,
) -> str:
    """Return a line of text."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}"{weight} '
        f'style="fill:{color}">{escape(words)}</text>'
    )


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    color: str = SOFT,
    width: float = 1.5,
    dashed: bool = False,
    arrow: str = "",
) -> str:
    """Return a line; ``arrow`` is the name of its head, if it has one."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    head = f' marker-end="url(#{arrow})"' if arrow else ""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
        f'stroke-width="{width:g}"{dash}{head} style="stroke:{color}"/>'
    )


def unit(x: float, y: float, words: str = "", *, color: str = INK) -> str:
    """Return a unit: a circle with a name."""
    circle = (
        f'<circle cx="{x:g}" cy="{y:g}" r="17" stroke-width="2" '
        f'style="fill:{FILL};stroke:{color}"/>'
    )
    return circle + (text(x, y + 5, words, color=color) if words else "")


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    words: str,
    *,
    color: str = INK,
    more: str = "",
    dashed: bool = False,
) -> str:
    """Return a box with one or two lines of text."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    middle = x + width / 2
    lines = [text(middle, y + height / 2 + (5 if not more else -3), words, color=color)]
    if more:
        lines.append(text(middle, y + height / 2 + 15, more, color=SOFT, size=13))
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" '
        f'stroke-width="2"{dash} style="fill:{FILL};stroke:{color}"/>' + "".join(lines)
    )


def head(name: str, color: str) -> str:
    """Return the head of an arrow."""
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" style="fill:{color}"/></marker>'
    )


def picture(name: str, width: int, height: int, title: str, described: str, *parts: str) -> str:
    """Return the text of a file."""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" '
        f'viewBox="0 0 {width} {height}" aria-labelledby="{name}-title {name}-about" '
        'font-family="system-ui, sans-serif">'
    )
    about = (
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-about">{escape(described)}</desc>'
    )
    return "\n".join([opening, about, STYLE, *parts, "</svg>\n"])


def widen() -> str:
    """Draw a unit that is copied, and its outgoing weight that the copies share."""
    parts = [text(105, 24, "before", bold=True), text(367, 24, "after", bold=True)]
    for left, hidden in ((0, ("a", "b")), (262, ("a", "b", "b"))):
        ys = [100, 190] if len(hidden) == 2 else [70, 145, 220]
        inputs = [(left + 30, 100), (left + 30, 190)]
        for (x, y), name in zip(inputs, "xz", strict=True):
            parts += [
                line(x + 17, y, left + 88, h, color=NEW if i == 2 else SOFT)
                for i, h in enumerate(ys)
            ]
            parts.append(unit(x, y, name))
        weights = ("u", "v") if len(hidden) == 2 else ("u", "⅓ v", "⅔ v")
        for i, (y, name, weight) in enumerate(zip(ys, hidden, weights, strict=True)):
            color = NEW if i == 2 else INK
            shared = NEW if len(hidden) == 3 and i > 0 else SOFT
            parts += [
                line(left + 122, y, left + 178, 145, color=shared),
                unit(left + 105, y, name, color=color),
            ]
            parts.append(
                text(
                    left + 152,
                    (y + 145) / 2 + (20 if y > 145 else -9),
                    weight,
                    size=14,
                    color=NEW if shared == NEW else INK,
                )
            )
        parts.append(unit(left + 195, 145, "y"))
    parts += [
        text(240, 276, "The copy has b's incoming weights. The two share b's", size=14),
        text(240, 296, "outgoing weight, so y is what it was:", size=14),
        text(240, 320, "u·a + v·b = u·a + ⅓ v·b + ⅔ v·b", color=NEW),
    ]
    return picture(
        "widen",
        480,
        336,
        "Widening a layer",
        "Left a layer of two units, a and b, that a unit y reads with weights u and v. Right the "
        "same layer with a third unit, a copy of b. Both copies have b's incoming weights. Their "
        "outgoing weights are a third and two thirds of v, so that y is unchanged.",
        *parts,
    )


def deepen() -> str:
    """Draw a new layer that is an identity, behind ReLU and behind another activation."""
    parts = [head("deepen-head", SOFT)]

    def row(y: float, label: str, boxes: list[tuple[str, str]]) -> None:
        parts.append(text(10, y - 12, label, anchor="start", size=14, bold=True))
        x = 10.0
        for i, (words, color) in enumerate(boxes):
            if i:
                parts.append(line(x - 22, y + 22, x - 3, y + 22, arrow="deepen-head"))
            wide = 24 + 9 * len(words)
            parts.append(box(x, y, wide, 44, words, color=color))
            x += wide + 25

    row(34, "before", [("conv1", INK), ("ReLU", INK), ("dense", INK)])
    row(
        124,
        "after, behind ReLU: an identity",
        [("conv1", INK), ("ReLU", INK), ("identity", NEW), ("ReLU", NEW), ("dense", INK)],
    )
    row(
        214,
        "after, behind tanh or another: a branch that adds zero",
        [("conv1", INK), ("tanh", INK), ("x + 0·f(x)", NEW), ("dense", INK)],
    )
    return picture(
        "deepen",
        480,
        276,
        "Deepening a network",
        "Three rows of layers. Before: conv1, ReLU, dense. Behind ReLU a new layer is an identity, "
        "whose ReLU changes nothing, since its input is not negative. Behind another activation it "
        "is a residual branch whose last weights are zero.",
        *parts,
    )


def search() -> str:
    """Draw one round of a search."""
    parts = [head("search-head", SOFT), head("search-new", NEW)]
    parts += [
        box(10, 20, 130, 56, "best network", more="incumbent"),
        box(175, 20, 130, 56, "Optuna", more="proposes a growth"),
        box(340, 20, 130, 56, "numpy core", more="grows, exactly"),
        box(340, 130, 130, 56, "candidate", more="grown, trained", color=NEW),
        box(340, 215, 130, 56, "controls", more="same images", dashed=True),
        box(175, 130, 130, 56, "judge", more="validation images"),
        line(140, 48, 172, 48, arrow="search-head"),
        line(305, 48, 337, 48, arrow="search-head"),
        line(405, 76, 405, 127, arrow="search-new", color=NEW),
        line(340, 158, 308, 158, arrow="search-new", color=NEW),
        line(75, 130, 75, 79, arrow="search-new", color=NEW),
        line(175, 158, 75, 158, color=NEW),
        line(75, 158, 75, 130, color=NEW),
        text(104, 180, "keeps it, or not", size=13, color=SOFT),
        line(405, 186, 405, 212, dashed=True),
        line(340, 243, 240, 243, dashed=True),
        line(240, 243, 240, 189, dashed=True, arrow="search-head"),
        text(325, 262, "evidence: what was", size=13, color=SOFT, anchor="end"),
        text(325, 278, "growing worth?", size=13, color=SOFT, anchor="end"),
    ]
    return picture(
        "search",
        480,
        290,
        "One round of a search",
        "The best network so far goes to Optuna, which proposes a growth. The numpy core grows the "
        "network without changing its outputs. The candidate is trained, and controls beside it on "
        "the same images. The judge keeps the candidate as the best network, or not. The controls "
        "give the evidence.",
        *parts,
    )


def trunk() -> str:
    """Draw a run with a trunk over its time."""
    y = 120
    parts = [head("trunk-head", SOFT)]
    parts += [
        line(20, 250, 465, 250, arrow="trunk-head"),
        text(440, 270, "time", size=13, color=SOFT),
    ]
    spans = [(20, 100, 3, INK), (100, 190, 5, NEW), (190, 300, 5, NEW), (300, 455, 8, NEW)]
    parts += [line(a, y, b, y, color=color, width=w) for a, b, w, color in spans]
    for start in (60, 150, 255):  # campaigns
        kept = {60: 0, 150: -1, 255: 1}[start]
        for i, lift in enumerate((-42, 42)):
            won = kept == i
            color = NEW if won else SOFT
            parts.append(
                f'<path d="M{start} {y} C{start + 12} {y + lift}, {start + 18} {y + lift}, '
                f'{start + 34} {y + lift}" stroke-width="2" style="fill:none;stroke:{color}"/>'
            )
            parts.append(
                f'<path d="M{start + 34} {y + lift} L{start + 44} {y + (0 if won else lift)}" '
                f'stroke-width="2" style="fill:none;stroke:{color if won else "none"}"/>'
            )
            if not won:
                parts.append(text(start + 42, y + lift + 5, "✕", size=13, color=SOFT))
    for x, label in ((110, "1 min"), (215, "2 min"), (330, "4 min")):  # commits
        parts.append(line(x, y, x + 14, 205, color=MARK, width=2))
        parts.append(f'<circle cx="{x + 14}" cy="205" r="6" style="fill:{MARK}"/>')
        parts.append(text(x + 14, 230, label, size=13, color=MARK))
    parts.append(f'<circle cx="455" cy="{y}" r="7" style="fill:{MARK}"/>')
    parts += [
        text(
            20, 24, "the trunk: one network, trained throughout", anchor="start", size=14, bold=True
        ),
        text(
            20,
            44,
            "thin lines: growths tried beside it; ✕ refused",
            anchor="start",
            size=13,
            color=SOFT,
        ),
        text(390, 104, "decay", size=13),
        text(
            20,
            290,
            "●  a network worth having, stored at that time and at the end",
            anchor="start",
            size=13,
            color=MARK,
        ),
    ]
    return picture(
        "trunk",
        480,
        304,
        "A run with a trunk",
        "A thick line is the trunk, one network that is trained from the start of the run to its "
        "end. Growths branch off beside it; some are refused, and two join the trunk, which is "
        "then larger. At one, two and four minutes a network is stored that is worth having then. "
        "A decay of the learning rate ends the run.",
        *parts,
    )


PICTURES = {"widen": widen, "deepen": deepen, "search": search, "trunk": trunk}


def main() -> None:
    """Write every picture."""
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
