"""How figures look: sizes for papers, type, lines; no state is left behind in matplotlib."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hmnet.errors import InputError, suggest
from reports.style.palette import color

ONE_COLUMN_IN = 3.03
TWO_COLUMNS_IN = 6.30
"""Widths of one column and of the whole text on a page of the ACL's style."""

LEAST_WIDE_IN = 4.5
"""Narrower figures put panels and legend entries below each other."""

SMALL_PT, TEXT_PT = 6.5, 7.5

_SETTINGS: Any = {  # the names of its keys are a type of the newest matplotlib alone
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "text.color": color("ink"),
    "axes.labelcolor": color("muted"),
    "axes.titlecolor": color("ink"),
    "axes.edgecolor": color("edge"),
    "xtick.color": color("muted"),
    "ytick.color": color("muted"),
    "xtick.labelcolor": color("ink"),
    "ytick.labelcolor": color("ink"),
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "grid.color": color("line"),
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "axes.titlelocation": "left",
    "figure.facecolor": color("paper"),
    "axes.facecolor": "none",
    "text.parse_math": False,  # a task may be called "$x$"
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
    "pdf.fonttype": 42,  # whole TrueType fonts, which publishers ask for
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "path.simplify": False,
}


_font: ContextVar[str | None] = ContextVar("font", default=None)


@contextlib.contextmanager
def using_font(family: str | None) -> Iterator[None]:
    """Draw with a font family meanwhile; None for the one that comes with matplotlib.

    Raises:
        InputError: if matplotlib finds none of that name, with the closest ones.
    """
    if family is not None:
        from matplotlib import font_manager

        known = {font.name for font in font_manager.fontManager.ttflist}
        if family not in known:
            raise InputError(
                f"Parameter `font` should be a font family of this machine. Found `{family}`."
                f"{suggest(family, sorted(known))}"
            )
    token = _font.set(family)
    try:
        yield
    finally:
        _font.reset(token)


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw with the style, and put matplotlib's settings back afterwards."""
    family = _font.get()
    chosen = _SETTINGS if family is None else {**_SETTINGS, "font.family": [family, "DejaVu Sans"]}
    with mpl.rc_context(chosen), warnings.catch_warnings():
        # Names in scripts that the font lacks: a browser brings its own fonts.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that no window and no registry knows."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def strip_axes(axes: Axes, *, keep: str = "left bottom") -> None:
    """Remove the frame except for the named sides."""
    for name, spine in axes.spines.items():
        spine.set_visible(name in keep.split())
