"""Looks into figures."""

from pathlib import Path
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    """All that is written in a figure."""
    root = ElementTree.parse(path).getroot()
    return ["".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")]


def count_points(path: Path) -> list[int]:
    """Points of every scatter in a figure, in the order they were drawn."""
    root = ElementTree.parse(path).getroot()
    groups = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("PathCollection_")]
    return [sum(1 for _ in group.iter(f"{SVG}use")) for group in groups]


def count_pictures(path: Path) -> int:
    """Pictures embedded in a figure."""
    return sum(1 for _ in ElementTree.parse(path).getroot().iter(f"{SVG}image"))
