"""Colours: one place for pages and figures, in a light and a dark theme.

Gains are blue (helps) and orange (hurts), which people with any common colour blindness tell
apart; zero is the page's background in both themes, so that what stands out is what matters.
Every colour that a figure uses has a name here; `reports.figures.svg` turns it into a CSS variable,
so one picture serves both themes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap, to_hex, to_rgb

THEMES = ("light", "dark")

BASE: Mapping[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#15181c"),
    "wash": ("#f6f7f8", "#1d2126"),
    "line": ("#dfe3e7", "#32383f"),
    "edge": ("#8d96a0", "#6b747e"),
    "muted": ("#59626c", "#a4adb7"),
    "ink": ("#1a1e23", "#e7eaee"),
    "accent": ("#1d5fa6", "#7db7f2"),
    "help": ("#2f79bd", "#5b9fdb"),
    "hurt": ("#c9641b", "#e0873c"),
    "neutral": ("#7a848f", "#87919c"),
}
"""Name to its light and dark colour."""

SERIES: Sequence[tuple[str, str]] = (
    ("#0072b3", "#56a9e0"),
    ("#d05c02", "#f0914a"),
    ("#00876a", "#3dbb97"),
    ("#b0578c", "#df93bf"),
    ("#9c7200", "#d9ae3c"),
    ("#6a57a8", "#a898e0"),
    ("#3b8ea5", "#76c6da"),
    ("#737b84", "#a0a8b1"),
)
"""Colours of groups and of lines, light and dark; they repeat after the eighth."""

_DIVERGING = (
    ("#8a3800", "#d0712a", "#f5c597", "#ffffff", "#a9cdea", "#3b83c3", "#0b3e78"),
    ("#ffbe85", "#c9702c", "#5e3317", "#15181c", "#173a5c", "#3b83c3", "#a8d5ff"),
)
_SEQUENTIAL = (
    ("#ffffff", "#bfe0d4", "#5aae9f", "#1f7177", "#0b3644"),
    ("#15181c", "#1b4248", "#2c7f7d", "#7cc5b0", "#dcf6ea"),
)
SIDE_STEPS = 12
"""Steps on each side of zero in the diverging palette."""
SEQUENTIAL_STEPS = 16


def _blend(anchors: Sequence[str], steps: int) -> list[str]:
    rgb = np.array([to_rgb(anchor) for anchor in anchors])
    at = np.linspace(0, 1, len(anchors))
    x = np.linspace(0, 1, steps)
    blended = np.stack([np.interp(x, at, channel) for channel in rgb.T], axis=1)
    return [to_hex(tuple(shade)) for shade in blended]


def diverging(theme: int = 0) -> list[str]:
    """Return the 25 colours from the greatest loss over zero to the greatest gain."""
    return _blend(_DIVERGING[theme], 2 * SIDE_STEPS + 1)


def sequential(theme: int = 0) -> list[str]:
    """Return the 16 colours from 0 to 1."""
    return _blend(_SEQUENTIAL[theme], SEQUENTIAL_STEPS)


def diverging_map() -> ListedColormap:
    """The diverging palette for matplotlib."""
    return ListedColormap(diverging(), "gains")


def sequential_map() -> ListedColormap:
    """The sequential palette for matplotlib."""
    return ListedColormap(sequential(), "shares")


def color(name: str) -> str:
    """Return a named colour of the light theme; `series-0` and so on count through `SERIES`."""
    if name.startswith("series-"):
        return SERIES[int(name.removeprefix("series-")) % len(SERIES)][0]
    return BASE[name][0]


def bin_gain(value: float, limit: float) -> int:
    """Return the step of the diverging palette for a gain, -12 to 12.

    Colour grows with the square root of the gain: matrices have a few cells of tens of percent
    beside many of one percent, and both should be seen.

    Args:
        limit: the largest absolute gain, which gets the strongest colour.
    """
    share = 0.0 if limit <= 0 else min(abs(value) / limit, 1.0)
    return round(float(np.sign(value)) * float(np.sqrt(share)) * SIDE_STEPS)


def bin_share(value: float) -> int:
    """Return the step of the sequential palette for a value from 0 to 1."""
    return round(min(max(value, 0.0), 1.0) * (SEQUENTIAL_STEPS - 1))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2, 1 to 21)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(shade: str) -> float:
    rgb = np.asarray(to_rgb(shade))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def text_on(background: str) -> str:
    """Return black or white, whichever reads better on a background."""
    return max(("#000000", "#ffffff"), key=lambda shade: contrast(shade, background))


def variables(theme: int) -> dict[str, str]:
    """Return every CSS variable of a theme, without the leading dashes."""
    found = {name: shades[theme] for name, shades in BASE.items()}
    found |= {f"series-{i}": shades[theme] for i, shades in enumerate(SERIES)}
    for prefix, shades in (("g", diverging(theme)), ("s", sequential(theme))):
        found |= {f"{prefix}{i}": shade for i, shade in enumerate(shades)}
        found |= {f"{prefix}{i}t": text_on(shade) for i, shade in enumerate(shades)}
    return found


def write_variables(theme: int) -> str:
    """Return a theme's variables as CSS declarations."""
    return "".join(f"--{name}:{shade};" for name, shade in variables(theme).items())


def write_cell_rules() -> str:
    """Return the CSS rules that colour the cells of heatmaps."""
    sizes = (("g", 2 * SIDE_STEPS + 1), ("s", SEQUENTIAL_STEPS))
    return "".join(
        f".{prefix}{i}{{background:var(--{prefix}{i});color:var(--{prefix}{i}t)}}"
        for prefix, size in sizes
        for i in range(size)
    )
