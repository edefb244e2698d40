"""Charts with numeric axes, as SVG for inlining. Colours are CSS variables of the page, so that they follow light and dark; text stays
text, so that the page's fonts draw it. Words (titles, legends, axes) belong to the page around them. Knows no run; matplotlib draws.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

# matplotlib wants colours, the page wants variables: these stand in for one another and occur nowhere else.
INK, MUTED, LINE, ACCENT, SECOND, BAD = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    SECOND: "var(--second)",
    BAD: "var(--bad)",
}
_MOST_POINTS = 500  # a line has no more pixels
_WIDTH, _HEIGHT = 400, 240  # about as wide as it is drawn on a phone and in half a desktop page: text of 11 units is readable on both
Point = tuple[float, float]


def available() -> bool:
    """Whether matplotlib, which draws, is installed (it comes with ``weitiao[train]``)."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def curves(
    name: str, lines: Sequence[tuple[str, Sequence[Point]]], *, label: str, marked: bool = False, best: Point | None = None
) -> Markup:
    """Lines over steps.

    Args:
        name: a word that makes the SVG's ids unique on the page.
        lines: (colour, [(x, y), ...]) each; the colours are this module's.
        label: what the chart shows, for people who hear it.
        marked: show every point of every line after the first with a dot.
        best: a point to ring.
    """
    figure, axes = _figure()
    for i, (colour, points) in enumerate(lines):
        x, y = zip(*_thin(points), strict=True)
        dots = marked and (i > 0 or len(lines) == 1)
        axes.plot(x, y, color=colour, linewidth=1.8, marker="o" if dots else None, markersize=4, solid_joinstyle="round")
    if best is not None:
        axes.plot(*best, marker="o", markersize=11, markerfacecolor="none", markeredgecolor=lines[-1][0], markeredgewidth=1.5)
    axes.margins(x=0.03, y=0.12)
    axes.locator_params(axis="x", integer=True)
    return _svg(figure, name, label)


def histogram(name: str, bins: Sequence[Mapping[str, Any]], *, label: str, limit: float | None = None) -> Markup:
    """Bars over bins ({"low", "high", "count"}), with a dashed line at ``limit``."""
    figure, axes = _figure()
    beyond = [limit is not None and b["low"] >= limit for b in bins]
    colours = [BAD if over else ACCENT for over in beyond]
    axes.bar(
        [b["low"] for b in bins],
        [b["count"] for b in bins],
        width=[max(b["high"] - b["low"], 1e-9) * 0.92 for b in bins],
        align="edge",
        color=colours,
    )
    if limit is not None:
        axes.axvline(limit, color=BAD, linewidth=1.4, linestyle=(0, (4, 3)))
    axes.set_ylim(bottom=0)
    axes.margins(x=0.02)
    return _svg(figure, name, label)


def scatter(name: str, points: Sequence[Point], *, label: str) -> Markup:
    """Truth across, answer up, each a dot, and the diagonal where the two are equal."""
    figure, axes = _figure()
    x, y = zip(*points, strict=True)
    low, high = min(*x, *y), max(*x, *y)
    axes.plot([low, high], [low, high], color=INK, linewidth=1.3, linestyle=(0, (4, 3)), zorder=3)
    # Many dots on one spot (whole-number ratings) show as a darker one.
    axes.scatter(x, y, s=14, color=ACCENT, alpha=max(0.12, min(0.7, 150 / len(points))), linewidths=0)
    axes.margins(0.04)
    return _svg(figure, name, label)


def reliability(name: str, bins: Sequence[Mapping[str, Any]], *, label: str) -> Markup:
    """Accuracy by confidence against the diagonal and, below, how many rows there are.

    Args:
        bins: {"low", "high", "count", "confidence", "accuracy"} each, at least one.
    """
    figure, axes = _figure(rows=2)
    above, below = axes
    above.plot([0, 1], [0, 1], color=INK, linewidth=1.3, linestyle=(0, (4, 3)), zorder=3)
    widths = [(b["high"] - b["low"]) * 0.88 for b in bins]
    lows = [b["low"] + (b["high"] - b["low"]) * 0.06 for b in bins]
    above.bar(lows, [b["accuracy"] for b in bins], width=widths, align="edge", color=ACCENT)
    above.set_ylim(0, 1.02)
    below.bar(lows, [b["count"] for b in bins], width=widths, align="edge", color=SECOND)
    # Bins where a model has no rows are part of the picture, but an empty left half is not.
    below.set_xlim(max(0.0, min(b["low"] for b in bins) - 0.02), 1.0)
    below.locator_params(axis="y", nbins=2)
    return _svg(figure, name, label)


def _figure(rows: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72, layout="constrained")
    axes = figure.subplots(rows, 1, sharex=True, height_ratios=[3.2, 1][:rows])
    for each in [axes] if rows == 1 else axes:
        each.spines[["top", "right", "left"]].set_visible(False)
        each.spines["bottom"].set_color(LINE)
        each.grid(axis="y", color=LINE, linewidth=0.8)
        each.set_axisbelow(True)
        each.tick_params(length=0, labelsize=11, labelcolor=MUTED)
        each.locator_params(axis="y", nbins=5)
        each.yaxis.set_major_formatter(lambda value, _position: f"{value:g}")  # a learning rate as 4e-05, not 4 and a power elsewhere
    return figure, axes


def _svg(figure: Any, name: str, label: str) -> Markup:
    import matplotlib

    buffer = io.StringIO()
    # The salt makes ids repeat from run to run and differ between the charts of a page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "axes.unicode_minus": False}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    drawing = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    # Out: a style that would reach the whole page, fonts that are not the page's, and ids that are the same in every chart.
    for pattern in (r"<metadata>.*?</metadata>", r"<defs>\s*<style.*?</defs>", r"font-family: [^;\"]*; ", r' id="[\w.]+_\d+"'):
        drawing = re.sub(pattern, "", drawing, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, variable)
    opening = Markup('<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">').format(
        width=_WIDTH, height=_HEIGHT, label=label
    )
    return opening + Markup(drawing + "</svg>")


def _thin(points: Sequence[Point]) -> list[Point]:
    """At most ``_MOST_POINTS`` of the points, each the mean of its neighbours."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    thinned = []
    for i in range(_MOST_POINTS):
        group = points[i * len(points) // _MOST_POINTS : (i + 1) * len(points) // _MOST_POINTS]
        thinned.append((sum(x for x, _y in group) / len(group), sum(y for _x, y in group) / len(group)))
    return thinned
