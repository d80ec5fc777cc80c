"""The style of all figures, and how they are written.

A figure is an SVG file with a title and a description: what it shows in words and numbers. The
report takes its captions and alternative texts from there. Text stays text, so that a browser can
draw the names of speakers in any script.
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.files import atomic_path

PAPER, INK, FAINT, GRID = "#ffffff", "#1f2430", "#6b7280", "#e4e7ec"
BLUE, ORANGE, GREEN, RED = "#3b7dd8", "#e0832f", "#2f9e6e", "#d64550"
COLOURS = (BLUE, ORANGE, GREEN, "#9a6dd0", "#d65a9c", "#12a3b4", "#a8843c", "#7c8aa5", RED)

STYLE = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    # A dollar sign in the name of a speaker begins no formula.
    "text.parse_math": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial", "sans-serif"],
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # The ids within the file depend on its content alone.
    "svg.hashsalt": "figure",
}
# More points than these are drawn as a picture: each takes a hundred bytes as a vector.
MAX_VECTOR_POINTS = 600
_PICTURE_DPI = 160

# Browsers apply this to pictures too, so that a figure has the dark colours of the page.
_DARK = "@media (prefers-color-scheme: dark) {{ {rules} }}"
_DARK_COLOURS = {PAPER: "#161b22", INK: "#e6edf3", FAINT: "#9aa4b2", GRID: "#2d343d"}
_NAMESPACE = {"dc": "http://purl.org/dc/elements/1.1/"}

styled = matplotlib.rc_context(STYLE)
"""Decorator that draws with the style above."""


def new_figure(
    width: float = 8.0, height: float = 3.4, rows: int = 1, columns: int = 1
) -> tuple[Figure, np.ndarray]:
    """Return a figure (size in inches) and its axes ``(rows * columns,)``."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1, wspace=0.04, hspace=0.06)
    return figure, figure.subplots(rows, columns, squeeze=False).ravel()


def save_figure(figure: Figure, path: Path, title: str, description: str) -> None:
    """Write an SVG file, atomically, with colours for light and for dark pages.

    Parameters
    ----------
    title, description
        What `read_description` returns; the report shows them.
    """
    metadata = {"Title": title, "Description": printable(description), "Date": None}
    with atomic_path(path) as temporary:
        with warnings.catch_warnings():
            # A glyph that our font lacks is no fault: the reader's font draws the text.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure.savefig(temporary, format="svg", metadata=metadata, dpi=_PICTURE_DPI)
        rules = " ".join(
            f'[style*="{part}: {light}"] {{ {part}: {dark} !important }}'
            for light, dark in _DARK_COLOURS.items()
            for part in ("fill", "stroke")
        )
        svg = temporary.read_text("utf-8")
        styled_svg = svg.replace("</style>", f"{_DARK.format(rules=rules)}</style>", 1)
        temporary.write_text(styled_svg, "utf-8")


def read_description(path: Path) -> tuple[str, str]:
    """Return title and description of a figure that `save_figure` wrote."""
    root = ElementTree.parse(path).getroot()
    return tuple(root.findtext(f".//dc:{key}", "", _NAMESPACE) for key in ("title", "description"))


def annotate(axes: Axes, text: str) -> None:
    """Write a sentence into axes that have nothing to draw."""
    axes.text(0.5, 0.5, text, ha="center", va="center", color=FAINT, transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def printable(text: str) -> str:
    """Return the text without the characters that XML forbids."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)


def shorten(text: str, limit: int = 28) -> str:
    """Return a name cut to what fits beside a bar."""
    text = printable(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def needs_picture(values: Sequence) -> bool:
    """Return whether so many points should be drawn as a picture."""
    return len(values) > MAX_VECTOR_POINTS
