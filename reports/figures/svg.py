"""Figures as bytes: the same figure gives the same bytes, today and on another day.

`embed_svg` prepares a figure for a page: its colours become the page's CSS variables, so that one
picture serves the light and the dark theme, and its identifiers are its own.
"""

from __future__ import annotations

import io
import re
from typing import Literal

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from reports.figures.paper_style import styled
from reports.style.formatting import clean
from reports.style.palette import variables

Format = Literal["svg", "pdf", "png"]
PNG_DPI = 300
LEAST_SCALE, MOST_SCALE = 1.3, 1.9
"""Pixels on a page per point of a figure."""
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def save_figure(figure: Figure, kind: Format, salt: str = "figure") -> bytes:
    """Return a figure as an SVG, PDF or PNG file; equal figures give equal bytes.

    Args:
        salt: seed of the identifiers in an SVG.
    """
    sink = io.BytesIO()
    with styled(), mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(sink, format=kind, dpi=PNG_DPI, metadata=_METADATA[kind])
    return sink.getvalue()


def embed_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an `<svg>` element for a page.

    Args:
        name: led before every identifier; unique on the page.
        description: the text alternative.
    """
    text = save_figure(figure, "svg", name).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = _own_identifiers(text, name)
    text = _use_variables(text)
    box, size = _read_size(text)
    body = re.sub(r">\s+<", "><", text[text.index(">") + 1 :])
    label = escape(clean(description))
    head = f'<svg role="img" aria-label="{label}" class="plot" viewBox="{box}" style="{size}">'
    return Markup(head + body)  # noqa: S704 (matplotlib escapes text, `label` is escaped)


def _read_size(text: str) -> tuple[str, str]:
    """Return the view box, and the range of widths on a page in which its text can be read."""
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None  # noqa: S101 (matplotlib writes one)
    points = float(box[1].split()[2])
    return box[1], f"min-width:{LEAST_SCALE * points:.0f}px;max-width:{MOST_SCALE * points:.0f}px"


def _own_identifiers(text: str, name: str) -> str:
    """Keep only the identifiers that something refers to, led by the figure's name."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    return re.sub(r'(url\(#|href="#)([^)"]+)', rf"\g<1>{name}-\g<2>", text)


_NAMES = {shade: f"var(--{name})" for name, shade in reversed(variables(0).items())}


def _use_variables(text: str) -> str:
    """Put the page's CSS variables in place of the palette's colours."""
    return re.sub(r"(?<=: )#[0-9a-f]{6}", lambda m: _NAMES.get(m[0], m[0]), text)
