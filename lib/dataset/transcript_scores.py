"""The table of transcript scores: written by the evaluation, read by the dataset and the pages."""

from dataclasses import dataclass
from pathlib import Path

from lib.tables import read_table
from lib.text.normalise import hash_text

SCORE_COLUMNS = ("clip", "score", "gap_start", "gap_end", "likelier", "text_hash", "duration")


def format_duration(seconds: float) -> str:
    """Return a duration as the table has it."""
    return f"{seconds:.3f}"


@dataclass(frozen=True, slots=True)
class ScoredTranscript:
    """A row of the table, see `lib.evaluation.transcripts.TranscriptScore`."""

    clip: str
    score: float
    gap: tuple[float, float]
    likelier: str | None
    text_hash: str
    duration: str

    def holds_for(self, transcript: str, duration: float) -> bool:
        """Return whether the score is of this transcript and of a recording as long as this."""
        return (self.text_hash, self.duration) == (hash_text(transcript), format_duration(duration))


def read_scores(path: Path | None) -> list[ScoredTranscript]:
    """Read a table of scores in its order; one that is not there has none."""
    if path is None or not path.is_file():
        return []
    return [
        ScoredTranscript(
            clip=row["clip"],
            score=float(row["score"]),
            gap=(float(row["gap_start"]), float(row["gap_end"])),
            likelier=row["likelier"] or None,
            text_hash=row["text_hash"],
            duration=row["duration"],
        )
        for row in read_table(path, SCORE_COLUMNS)
    ]
