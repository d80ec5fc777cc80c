"""The speaker review page: listen to the assigned speakers and correct them before the training."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.audio.table import read_measurements
from lib.files import read_json
from lib.report.players import encode_start
from lib.report.plot_style import COLOURS
from lib.report.tables import (
    choose_suggestions,
    describe_suggestion,
    find_overrides_file,
    format_duration,
    require_files,
)
from lib.report.template import write_page
from lib.review.selection import (
    MAX_PLAYERS,
    MAX_SECONDS,
    Item,
    choose_listed,
    choose_mapped,
    choose_sounds,
)
from lib.speakers.tables import DOUBTS, read_assignments, read_excluded
from lib.tables import read_table

TEMPLATE = Path(__file__).with_name("templates") / "speaker_review.html"
# Characters of a transcript that the page shows.
MAX_TEXT = 160

UNCERTAIN, OUTLIER, MIXED = range(3)
REASONS = (
    "another speaker is as similar",
    "outlier: may be another speaker",
    "beginning and end differ: two speakers?",
)


@dataclass(frozen=True)
class ReviewPaths:
    """Files and folders of a run that the page is made from."""

    assignments: Path
    speaker_map: Path
    registry: Path
    excluded: Path
    measurements: Path
    clips: Path

    @classmethod
    def from_results(cls, results: Path) -> "ReviewPaths":
        """Return the paths within the output folder of a run.

        Raises
        ------
        ValueError
            If a file or folder is missing.
        """
        paths = cls(
            assignments=results / "speakers/assignments.tsv",
            speaker_map=results / "speakers/map.tsv",
            registry=results / "speakers/registry.json",
            excluded=results / "speakers/excluded.tsv",
            measurements=results / "measurements.tsv",
            clips=results / "clips",
        )
        require_files(vars(paths).values())
        return paths


def write_speaker_review(
    paths: ReviewPaths,
    texts: Mapping[str, str],
    min_confidence: float,
    min_intra_clip_similarity: float,
    title: str,
    language: str,
    overrides_file: str | None,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    texts
        Transcript of every clip, by id.
    min_confidence
        A clip whose speaker has a lower confidence is to be reviewed.
    min_intra_clip_similarity
        A clip is to be reviewed if the cosine similarity of its beginning and its end is lower.
    title
        Name of the recordings.
    language
        ISO 639 code of the transcripts.
    overrides_file
        File with the user's speaker overrides; None if the run reads none.
    output
        HTML file to write.
    """
    file, hint = find_overrides_file(overrides_file)
    registry = read_json(paths.registry)
    items = collect_items(paths, texts, registry, min_confidence, min_intra_clip_similarity)
    shown, omitted = choose_suggestions(registry)
    groups = [group for row in shown for group in row["groups"]]
    with_sound = choose_sounds(items, groups)
    listed = choose_listed(items, with_sound)
    sounds = _embed_sounds(listed, set(with_sound), paths.clips)
    mapped = choose_mapped(listed)
    suggestions = _list_suggestions(registry)
    speakers = _list_speakers(items, registry)
    numbers = {row["id"]: number for number, row in enumerate(speakers)}
    data = {
        "overridesFile": file,
        "hint": hint,
        "language": language,
        "colours": COLOURS,
        "reasons": REASONS,
        "speakers": speakers,
        "clips": [_to_row(item, numbers) for item in listed],
        "mapped": mapped,
        "sounds": sounds,
        "suggestions": suggestions,
    }
    values = {
        "title": title,
        "overrides_file": file,
        "hint": hint,
        "facts": _collect_facts(items, speakers),
        "suggestions": suggestions,
        "doubts_omitted": omitted,
        "limits": _describe_limits(items, listed, sounds, mapped),
        "data": data,
    }
    write_page(TEMPLATE, values, output)


def collect_items(
    paths: ReviewPaths,
    texts: Mapping[str, str],
    registry: Mapping[str, Any],
    min_confidence: float,
    min_intra_clip_similarity: float,
) -> list[Item]:
    """Return every clip that has a speaker, those to review first.

    Parameters
    ----------
    registry
        Content of registry.json.
    """
    measured = read_measurements(paths.measurements)
    places = {
        row["clip"]: (float(row["x"]), float(row["y"])) for row in read_table(paths.speaker_map)
    }
    excluded = read_excluded(paths.excluded)
    outliers = _find_outliers(registry["review_suggestions"])
    items = []
    for clip, row in read_assignments(paths.assignments).items():
        item = Item(
            clip,
            row.speaker_id,
            row.confidence,
            measured[clip].duration,
            places[clip],
            _shorten(texts[clip]),
            clip in excluded,
        )
        is_mixed = (
            row.intra_clip_similarity is not None
            and row.intra_clip_similarity < min_intra_clip_similarity
        )
        item.reasons += [UNCERTAIN] * (row.confidence < min_confidence)
        item.reasons += [OUTLIER] * (clip in outliers)
        item.reasons += [MIXED] * is_mixed
        items.append(item)
    return sorted(items, key=lambda item: (not item.reasons, item.confidence, item.clip))


def _find_outliers(suggestions: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the clips that may be of a second speaker: all but the largest group of each."""
    return {
        clip
        for suggestion in suggestions
        if suggestion["reason"] == "several_speakers"
        for group in sorted(suggestion["groups"], key=len)[:-1]
        for clip in group
    }


def _list_suggestions(registry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the review suggestions with their text, their clips and the lines for the user."""
    names = {key: entry["name"] for key, entry in registry["speakers"].items()}
    return [
        {
            "text": describe_suggestion(row, names),
            "lines": row["lines"],
            "settle": row.get("settle", ""),
            "clips": [clip for group in row["groups"] for clip in group],
            "pairs": list(zip(*row["groups"], strict=False)) if row["reason"] in DOUBTS else [],
        }
        for row in choose_suggestions(registry)[0]
    ]


def _embed_sounds(items: Sequence[Item], with_sound: Collection[str], clips: Path) -> list[str]:
    """Return the sounds in base 64, and set the number of each in its item."""
    sounds = []
    for item in items:
        if item.clip in with_sound:
            item.sound = len(sounds)
            sounds.append(encode_start(clips / f"{item.clip}.wav", MAX_SECONDS))
    return sounds


def _list_speakers(items: Sequence[Item], registry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the speakers who have clips, the one with the longest speech first."""
    rows = {}
    for item in items:
        row = rows.setdefault(item.speaker, {"id": item.speaker, "clips": 0, "seconds": 0.0})
        row["clips"] += 1
        row["seconds"] += item.seconds
    for key, row in rows.items():
        row["name"] = registry["speakers"][key]["name"]
        row["excluded"] = key in registry["excluded"]
        row["seconds"] = round(row["seconds"], 2)
    return sorted(rows.values(), key=lambda row: (-row["seconds"], row["id"]))


def _collect_facts(
    items: Sequence[Item], speakers: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str | None]]:
    """Return the numbers at the top of the page: name, value and what else is said."""
    to_review = sum(bool(item.reasons) for item in items)
    excluded = sum(item.excluded for item in items)
    return [
        ("Speakers", f"{len(speakers):,}", None),
        ("Clips", f"{len(items):,}", f"{excluded:,} excluded by you" if excluded else None),
        ("Speech", format_duration(sum(item.seconds for item in items)), None),
        (
            "Clips to review",
            f"{to_review:,}",
            f"{to_review / len(items):.1%} of all" if to_review else None,
        ),
    ]


def _describe_limits(
    items: Sequence[Item], listed: Sequence[Item], sounds: Sequence[str], mapped: Sequence[int]
) -> list[str]:
    """Say what the page leaves out so that its size stays bearable."""
    limits = []
    if len(sounds) < len(items):
        limits.append(
            f"{len(sounds):,} of {len(items):,} clips have sound on this page, up to {MAX_PLAYERS} "
            "of a speaker: typical clips and clips to review. The folder of the clips has them all."
        )
    if any(item.seconds > MAX_SECONDS and item.sound >= 0 for item in listed):
        limits.append(f"Long clips play for their first {MAX_SECONDS:g} seconds.")
    if len(mapped) < len(listed):
        limits.append(
            f"The map shows {len(mapped):,} clips: those with sound, those to review, some others."
        )
    if len(listed) < len(items):
        limits.append(
            f"The list has {len(listed):,} of {len(items):,} clips. speakers/assignments.tsv lists "
            "them all, and patterns in your file apply to them all."
        )
    return limits


def _to_row(item: Item, numbers: Mapping[str, int]) -> list[Any]:
    """Return a clip as the page's script reads it; lists are shorter than objects."""
    x, y = item.place
    return [
        item.clip,
        numbers[item.speaker],
        round(item.confidence, 2),
        round(item.seconds, 2),
        round(x, 4),
        round(y, 4),
        item.text,
        item.reasons,
        item.sound,
        int(item.excluded),
    ]


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
