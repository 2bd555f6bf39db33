"""Numbers and lists as text: fractions become percent, and a minus is a minus sign."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

MISSING = "–"
PERCENT = "\u00a0%"
"""The unit, after a space at which no line breaks."""
_CONTROLS = dict.fromkeys(
    (
        *(code for code in range(32) if code not in (9, 10)),
        *range(127, 160),
        *range(0x202A, 0x202F),  # marks that turn the direction of the text around them
        *range(0x2066, 0x206A),
        *(0x00AD, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF),  # seen by nobody, and so no name's
        *range(0x2060, 0x2065),
        0xFFFE,
        0xFFFF,
    ),
    "\ufffd",
)

_STRAY_JOINER = re.compile(r"(?:(?<=[\x00-\x7f])|^)[\u200c\u200d]+")


def format_percent(
    value: float, digits: int = 1, *, signed: bool = False, unit: str = PERCENT
) -> str:
    """Return `12.3 %`, or `+12.3 %`; the missing sign where the value is NaN.

    The space before the unit does not break a line.
    """
    return format_number(100 * value, digits, signed=signed, unit=unit)


def format_number(value: float, digits: int = 1, *, signed: bool = False, unit: str = "") -> str:
    """Return a number with a true minus sign and its unit; zero has no sign."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    if not re.search("[1-9]", text):
        text = text.lstrip("+-")
    return text.replace("-", "\u2212") + unit


def format_score(value: float, digits: int = 1, *, is_error: bool = False, unit: str = "") -> str:
    """Return a score in percent, or an error in its own unit with three digits.

    >>> format_score(0.8123), format_score(-0.25, is_error=True)
    ('81.2', '0.25')
    """
    if not is_error:
        return format_percent(value, digits, unit=unit)
    return f"{-value:.{digits + 2}g}" if math.isfinite(value) else MISSING


def format_interval(low: float, high: float, digits: int = 1) -> str:
    """Return a 95 % interval of fractions, `−4.1 to −2.2 %`; empty where it is not known."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    lower = format_percent(low, digits, signed=True, unit="")
    return f"{lower} to {format_percent(high, digits, signed=True)}"


def format_probability(value: float) -> str:
    """Return `= 0.03`, or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}".rstrip("0").rstrip(".")


def count_noun(number: float, noun: str, plural: str | None = None) -> str:
    """Return `1 run` or `3 runs`.

    >>> count_noun(2, "dev example")
    '2 dev examples'
    """
    whole = round(number)
    return f"{whole:,} {noun if whole == 1 else plural or noun + 's'}"


def format_parameters(count: float) -> str:
    """Return `22.7 M`, or `37 k` for a small model; the missing sign where it is NaN."""
    if count >= 999_500:
        return format_number(count / 1e6, unit=" M")
    return format_number(count / 1e3, 0, unit=" k")


def join_words(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def format_duration(seconds: float) -> str:
    """Return `42 s`, `3 min` or `2.1 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def clean(text: str) -> str:
    """Replace control and zero-width characters, which no page and no picture should hold.

    Joiners stay where scripts need them, which is not after a character of ASCII.
    """
    return _STRAY_JOINER.sub("\ufffd", text.translate(_CONTROLS))


def shorten_name(name: str, most: int = 24) -> str:
    """Return a task's name as one line of at most `most` characters."""
    line = " ".join(clean(name).split())
    return line if len(line) <= most else line[: most - 1] + "…"
