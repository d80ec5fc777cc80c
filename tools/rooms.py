"""Draws the rooms of lib/ and their imports: ``.venv/bin/python -m tools.rooms``.

The picture is docs/rooms.svg. An arrow leads from a room to one that it imports. An arrow that
follows from two others is left out, as in the picture of the rules. lib/config is left out too:
every room may import it. Needs Graphviz.
"""

import argparse
import ast
import logging
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = Path("docs/rooms.svg")
EVERYWHERE = "config"
STYLE = """\
  graph [rankdir=LR, nodesep=0.18, ranksep=0.3, pad=0.1]
  node [shape=box, style="rounded,filled", color="#4a6fa5", fillcolor="#eef3fa", penwidth=2,
        fontname=sans, fontsize=10]
  edge [color=grey, penwidth=2, arrowsize=0.7]
"""


def find_imports(library: Path) -> dict[str, set[str]]:
    """Return for every room of the library the rooms that its modules import.

    Parameters
    ----------
    library
        The folder ``lib``.
    """
    names = {path.parent.name for path in library.glob("*/__init__.py")} - {EVERYWHERE}
    return {
        room: set().union(*map(_find_rooms, (library / room).rglob("*.py"))) & names - {room}
        for room in sorted(names)
    }


def _find_rooms(path: Path) -> set[str]:
    """Return what a module imports of ``lib``: the second word of each dotted name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("lib.")}


def reduce_imports(imports: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """Return the imports that do not follow from others, as pairs of rooms.

    Raises
    ------
    ValueError
        If rooms import each other in a circle.
    """

    def reach(room: str, way: tuple[str, ...]) -> set[str]:
        if room in way:
            circle = " -> ".join((*way[way.index(room) :], room))
            raise ValueError(f"lib/: rooms import each other: {circle}; expected no circle")
        return imports[room].union(*(reach(other, (*way, room)) for other in imports[room]))

    reached = {room: reach(room, ()) for room in imports}
    return {
        (room, other)
        for room in imports
        for other in imports[room]
        if not any(other in reached[third] for third in imports[room])
    }


def write_graph(imports: Mapping[str, set[str]]) -> str:
    """Return the picture in Graphviz's language."""
    nodes = "".join(f"  {room}\n" for room in sorted(imports))
    edges = "".join(f"  {room} -> {other}\n" for room, other in sorted(reduce_imports(imports)))
    return f"digraph rooms {{\n{STYLE}{nodes}{edges}}}\n"


def main(line: Sequence[str] | None = None) -> None:
    """Draw docs/rooms.svg, the rooms of lib/ and their imports."""
    parser = argparse.ArgumentParser(prog="python -m tools.rooms", description=main.__doc__)
    parser.parse_args(line)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    graph = write_graph(find_imports(ROOT / "lib"))
    drawn = subprocess.run(
        ["dot", "-Tsvg"], input=graph, capture_output=True, text=True, check=True
    )
    (ROOT / PICTURE).write_text(drawn.stdout, "utf-8")
    logging.info("%s", PICTURE)


if __name__ == "__main__":
    main()
