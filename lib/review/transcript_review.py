"""The page of transcripts that explain their recordings least, to listen to and to correct."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.dataset.transcript_scores import ScoredTranscript, read_scores
from lib.files import read_json
from lib.report.players import embed_sound
from lib.report.template import write_page
from lib.tables import read_table

TEMPLATE = Path(__file__).with_name("templates") / "transcript_review.html"
MAX_SHOWN = 200
"""Clips on the page, of which each takes some 30 kB: all below the limit, up to so many."""
FEWEST_SHOWN = 20
"""So many are shown even if all transcripts seem right: the worst are worth an ear."""


def write_transcript_review(
    scores: Path,
    summary: Path,
    manifest: Path,
    clips: Path,
    least: float,
    title: str,
    language: str,
    output: Path,
) -> None:
    """Write the page: the worst clips first, with player, text, and what the text leaves out.

    Parameters
    ----------
    scores, summary
        What rule check_transcripts has found.
    manifest
        Table of all clips.
    clips
        Folder of the converted clips.
    least
        `dataset.min_transcript_score`.
    title
        Name of the recordings.
    language
        ISO 639 code of the transcripts.
    output
        HTML file to write.
    """
    ranked = sorted(read_scores(scores), key=lambda row: (row.score, row.clip))
    below = sum(row.score < least for row in ranked)
    shown = ranked[: min(MAX_SHOWN, max(FEWEST_SHOWN, below))]
    rows = {row["clip"]: row for row in read_table(manifest)}
    check = read_json(summary)
    values = {
        "title": title,
        "language": language,
        "judge": check["judge"],
        "knows": check["knows"],
        "knowledge": check["knowledge"],
        "shifts": [_describe_shift(shift, rows) for shift in check["shifts"]],
        "least": least,
        "below": below,
        "total": len(ranked),
        "clips": [_show(row, rows, clips, least) for row in shown],
        "omitted": max(0, below - len(shown)),
        "table": f"transcripts/{scores.name}",
    }
    write_page(TEMPLATE, values, output)


def _describe_shift(shift: Mapping[str, Any], rows: Mapping[str, Mapping[str, str]]) -> str:
    """Say which rows of the user's table have the text of which others."""
    first, last = (rows[shift[end]]["origin"] for end in ("first", "last"))
    rows_away = abs(shift["offset"])
    return (
        f"{shift['rows']:,} rows, from {first} to {last}, seem to have slipped: what explains "
        f"their recordings better is the text {rows_away} row{'s' if rows_away > 1 else ''} "
        f"{'below' if shift['offset'] > 0 else 'above'} their own."
    )


def _show(
    row: ScoredTranscript, rows: Mapping[str, Mapping[str, str]], clips: Path, least: float
) -> dict[str, Any]:
    start, end = row.gap
    return {
        "id": row.clip,
        "origin": rows[row.clip]["origin"],
        "score": f"{row.score:.2f}",
        "is_below": row.score < least,
        "text": rows[row.clip]["transcript"],
        "gap": f"{start:.1f} to {end:.1f} s",
        "likelier": rows[row.likelier]["transcript"] if row.likelier else None,
        "sound": embed_sound(clips / f"{row.clip}.wav"),
    }
