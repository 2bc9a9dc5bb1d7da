"""A picture of one stacked bar, as SVG that shows on light and dark pages alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
LEFT = 20
BAR_TOP = 46
BAR_HEIGHT = 44
LINE = 24
OURS = ("#0b5394", "#2f79b9", "#5a9bd3", "#86b9e3", "#aed0ee", "#d0e4f5")
THEIRS = ("#a65d00", "#e69138")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step: its name, its microseconds, and whether it is our own work."""

    name: str
    value: float
    ours: bool


def picture(title: str, bars: Sequence[Bar]) -> str:
    """The bar, and a line for each of its parts."""
    total = sum(bar.value for bar in bars)
    height = BAR_TOP + BAR_HEIGHT + 20 + LINE * len(bars) + 10
    colours = {True: iter(OURS), False: iter(THEIRS)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="28" font-size="17" font-weight="bold">{escape(title)}</text>',
    ]
    at = float(LEFT)
    for place, bar in enumerate(bars):
        colour = next(colours[bar.ours])
        width = bar.value / total * (WIDTH - 2 * LEFT)
        y = BAR_TOP + BAR_HEIGHT + 20 + LINE * place
        lines += [
            f'<rect x="{at:.1f}" y="{BAR_TOP}" width="{width:.1f}" height="{BAR_HEIGHT}" '
            f'fill="{colour}"/>',
            f'<rect x="{LEFT}" y="{y}" width="14" height="14" fill="{colour}"/>',
            f'<text x="{LEFT + 24}" y="{y + 12}">{escape(bar.name)}</text>',
            f'<text x="{LEFT + 330}" y="{y + 12}" text-anchor="end">{bar.value:.1f} us</text>',
            f'<text x="{LEFT + 400}" y="{y + 12}" text-anchor="end">'
            f"{bar.value / total:.0%}</text>",
        ]
        at += width
    return "\n".join([*lines, "</svg>", ""])
