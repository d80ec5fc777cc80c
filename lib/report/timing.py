"""Time that every stage of a run took, from Snakemake's benchmark files."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """All jobs of one rule.

    Attributes
    ----------
    intervals
        When each job began and ended, in seconds since the epoch.
    """

    name: str
    intervals: Sequence[tuple[float, float]]

    @property
    def seconds(self) -> float:
        """Seconds during which at least one of its jobs ran."""
        return union_length(self.intervals)


def read_stages(results: Path) -> list[Stage]:
    """Return the time of every rule, in the order in which they ended.

    Conversions have no benchmark files, since they are threads of the main process. Their time is
    the one between the first log file and the last.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        parent = path.parent if path.parent.name != "benchmarks" else path.with_suffix("")
        with path.open(encoding="utf-8", newline="") as file:
            seconds = float(next(csv.DictReader(file, delimiter="\t"))["s"])
        end = path.stat().st_mtime
        found.setdefault(parent.name, []).append((end - seconds, end))
    logs = [path.stat().st_mtime for path in (results / "logs/convert_audio").glob("*.log")]
    if logs:
        found["convert_audio"] = [(min(logs), max(logs))]
    stages = [Stage(name, sorted(intervals)) for name, intervals in found.items()]
    return sorted(stages, key=lambda stage: stage.intervals[-1][1])


def union_length(intervals: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of some intervals."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
