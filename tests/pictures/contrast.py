"""The contrast of two colours as WCAG 2.2 defines it."""

from collections.abc import Sequence

LEAST = 4.5  # success criterion 1.4.3, for text of any size


def contrast(a: Sequence[float], b: Sequence[float]) -> float:
    """From 1 to 21; each colour as (red, green, blue), from 0 to 255."""
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Sequence[float]) -> float:
    parts = [value / 255 for value in colour[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
