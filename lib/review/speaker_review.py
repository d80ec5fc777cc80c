"""A page to hear who the workflow thinks speaks where, and to make corrections, before training."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.audio.table import read_measurements
from lib.files import atomic_path, read_json
from lib.report import page
from lib.report.players import encode_start
from lib.report.plot_style import COLOURS
from lib.report.tables import describe_doubt, describe_place, format_duration
from lib.review import page as audition_page
from lib.review.script import SCRIPT
from lib.speakers.tables import read_assignments, read_excluded
from lib.tables import read_table

# What is heard of a clip, in seconds: enough to know a voice again.
MAX_SECONDS = 8.0
# All sounds together: 4 kB of the page for each second.
TOTAL_SECONDS = 1200.0
MAX_PLAYERS = 40
# Of every group of clips about which there is a doubt, so many can be heard.
DOUBT_PLAYERS = 3
MAX_POINTS = 1500
MAX_CLIPS = 10_000
MAX_TEXT = 160
# A typical clip has about this length.
TYPICAL_SECONDS = 4.0

UNSURE, SECOND_VOICE, MIXED = range(3)
REASONS = (
    "another voice is as near",
    "may be another voice than this speaker's others",
    "its beginning and end differ: two voices?",
)


@dataclass(frozen=True)
class AuditionPaths:
    """What the page is made from; the names are those of the run's files."""

    assignments: Path
    speaker_map: Path
    registry: Path
    excluded: Path
    measurements: Path
    clips: Path


@dataclass(slots=True)
class Item:
    """A clip as the page shows it.

    Attributes
    ----------
    why
        Numbers of the reasons to doubt its speaker.
    sound
        Number of its sound on the page, -1 without.
    """

    clip: str
    speaker: str
    confidence: float
    seconds: float
    place: tuple[float, float]
    text: str
    left_out: bool
    why: list[int] = field(default_factory=list)
    sound: int = -1


def write_audition(
    paths: AuditionPaths,
    texts: Mapping[str, str],
    min_confidence: float,
    min_agreement: float,
    title: str,
    language: str,
    file: str | None,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    texts
        Transcript of every clip.
    min_confidence
        A clip whose speaker is less certain is doubtful.
    min_agreement
        A clip whose beginning and end are less alike is doubtful.
    title
        What the recordings are called.
    language
        ISO 639 code of the transcripts.
    file
        Where the user's word is read from; None, where it is not.
    """
    place, hint = describe_place(file)
    registry = read_json(paths.registry)
    items = collect_items(paths, texts, registry, min_confidence, min_agreement)
    heard = choose_clips(
        items, [group for d in registry["review_suggestions"] for group in d["groups"]]
    )
    shown = choose_shown(items, heard)
    sounds = _embed_sounds(shown, set(heard), paths.clips)
    mapped = sorted(sorted(range(len(shown)), key=lambda n: _rank(shown[n]))[:MAX_POINTS])
    names = {key: entry["name"] for key, entry in registry["speakers"].items()}
    doubts = [
        {"said": describe_doubt(d, names), "lines": d["lines"], "clips": sum(d["groups"], [])}
        for d in registry["review_suggestions"]
    ]
    speakers = _list_speakers(items, registry)
    numbers = {row["id"]: number for number, row in enumerate(speakers)}
    data = {
        "file": place,
        "hint": hint,
        "language": language,
        "colours": COLOURS,
        "reasons": REASONS,
        "speakers": speakers,
        "clips": [_to_row(item, numbers) for item in shown],
        "mapped": mapped,
        "sounds": sounds,
        "doubts": doubts,
    }
    values = {
        "title": title,
        "file": place,
        "hint": hint,
        "facts": _collect_facts(items, speakers),
        "doubts": doubts,
        "limits": _tell_limits(items, shown, sounds, mapped),
        "data": _to_json(data),
    }
    _render(values, output)


def _render(values: Mapping[str, Any], output: Path) -> None:
    template = page.make_template(audition_page.TEMPLATE)
    # The one script that may run on the page.
    digest = hashlib.sha256(SCRIPT.encode()).digest()
    script_hash = f"sha256-{base64.b64encode(digest).decode('ascii')}"
    style = page.STYLE + audition_page.STYLE
    html = template.render(**values, style=style, script=SCRIPT, script_hash=script_hash)
    with atomic_path(output) as temporary:
        temporary.write_text(html.strip() + "\n", "utf-8")


def collect_items(
    paths: AuditionPaths,
    texts: Mapping[str, str],
    registry: Mapping[str, Any],
    min_confidence: float,
    min_agreement: float,
) -> list[Item]:
    """Bring together what is known of every clip that has a voice; the doubtful come first."""
    measured = read_measurements(paths.measurements)
    places = {
        row["clip"]: (float(row["x"]), float(row["y"])) for row in read_table(paths.speaker_map)
    }
    excluded = read_excluded(paths.excluded)
    strangers = _list_strangers(registry["review_suggestions"])
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
        item.why += [UNSURE] * (row.confidence < min_confidence)
        item.why += [SECOND_VOICE] * (clip in strangers)
        item.why += [MIXED] * (
            row.intra_clip_similarity is not None and row.intra_clip_similarity < min_agreement
        )
        items.append(item)
    return sorted(items, key=lambda item: (not item.why, item.confidence, item.clip))


def _list_strangers(doubts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the clips that may be a second voice: all but the largest group of a doubt."""
    return {
        clip
        for doubt in doubts
        if doubt["reason"] == "two_voices"
        for group in sorted(doubt["groups"], key=len)[:-1]
        for clip in group
    }


def choose_clips(items: Sequence[Item], groups: Sequence[Sequence[str]]) -> list[str]:
    """Return the clips that can be heard: of every speaker some, by turns, while there is room.

    First come those that a doubt is about, then typical and doubtful ones alternate.
    """
    wanted = {clip for group in groups for clip in _spread(sorted(group), DOUBT_PLAYERS)}
    queues = {}
    for speaker in sorted({item.speaker for item in items}):
        own = [item for item in items if item.speaker == speaker]
        typical = sorted(
            (item for item in own if not item.why),
            key=lambda item: (
                -round(item.confidence, 1),
                abs(item.seconds - TYPICAL_SECONDS),
                item.clip,
            ),
        )
        first = [item for item in own if item.clip in wanted]
        mixed = _alternate(typical, [item for item in own if item.why])
        queue = {item.clip: item for item in [*first, *mixed]}
        queues[speaker] = list(queue.values())[: max(MAX_PLAYERS, len(first))]
    heard, seconds = [], 0.0
    for turn in range(max(map(len, queues.values()), default=0)):
        for queue in queues.values():
            length = min(queue[turn].seconds, MAX_SECONDS) if turn < len(queue) else 0.0
            if length and seconds + length <= TOTAL_SECONDS:
                heard.append(queue[turn].clip)
                seconds += length
    return heard


def choose_shown(items: Sequence[Item], heard: Collection[str]) -> list[Item]:
    """Return the clips that the page lists, in their order."""
    heard = set(heard)
    kept = sorted(items, key=lambda item: (item.clip not in heard, _rank(item)))[:MAX_CLIPS]
    chosen = {item.clip for item in kept}
    return [item for item in items if item.clip in chosen]


def _rank(item: Item) -> tuple:
    """Order in which clips get a place: heard, doubtful, then any, by a hash of the id."""
    chance = hashlib.blake2b(item.clip.encode(), digest_size=8).digest()
    return item.sound < 0, not item.why, chance


def _alternate(one: Sequence[Item], other: Sequence[Item]) -> list[Item]:
    pairs = zip(one, other, strict=False)
    shorter = min(len(one), len(other))
    return [item for pair in pairs for item in pair] + [*one[shorter:], *other[shorter:]]


def _spread(clips: Sequence[str], number: int) -> list[str]:
    """Return so many clips, evenly spread."""
    step = max(1, len(clips) / number)
    return [clips[int(n * step)] for n in range(min(number, len(clips)))]


def _embed_sounds(items: Sequence[Item], heard: Collection[str], clips: Path) -> list[str]:
    """Encode what can be heard, and number it."""
    sounds = []
    for item in items:
        if item.clip in heard:
            item.sound = len(sounds)
            sounds.append(encode_start(clips / f"{item.clip}.wav", MAX_SECONDS))
    return sounds


def _list_speakers(items: Sequence[Item], registry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the speakers who have clips, who speaks longest first."""
    rows = {}
    for item in items:
        row = rows.setdefault(item.speaker, {"id": item.speaker, "clips": 0, "seconds": 0.0})
        row["clips"] += 1
        row["seconds"] += item.seconds
    for key, row in rows.items():
        row["name"] = registry["speakers"][key]["name"]
        row["out"] = key in registry["excluded"]
        row["seconds"] = round(row["seconds"], 2)
    return sorted(rows.values(), key=lambda row: (-row["seconds"], row["id"]))


def _collect_facts(
    items: Sequence[Item], speakers: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str | None]]:
    doubtful = sum(bool(item.why) for item in items)
    left_out = sum(item.left_out for item in items)
    return [
        ("Speakers", f"{len(speakers):,}", None),
        ("Clips", f"{len(items):,}", f"{left_out:,} left out by you" if left_out else None),
        ("Speech", format_duration(sum(item.seconds for item in items)), None),
        (
            "Doubtful clips",
            f"{doubtful:,}",
            f"{doubtful / len(items):.1%} of all" if doubtful else None,
        ),
    ]


def _tell_limits(
    items: Sequence[Item], shown: Sequence[Item], sounds: Sequence[str], mapped: Sequence[int]
) -> list[str]:
    """Say what a page of bearable size leaves away."""
    limits = []
    if len(sounds) < len(items):
        limits.append(
            f"{len(sounds):,} of {len(items):,} clips can be heard here, up to {MAX_PLAYERS} of a "
            "speaker: typical and doubtful ones. The others are in the folder of the clips."
        )
    if any(item.seconds > MAX_SECONDS and item.sound >= 0 for item in shown):
        limits.append(f"Of long clips the first {MAX_SECONDS:g} seconds are heard.")
    if len(mapped) < len(shown):
        limits.append(
            f"The map shows {len(mapped):,} clips: those with sound, the doubtful, some others."
        )
    if len(shown) < len(items):
        limits.append(
            f"The list has {len(shown):,} of {len(items):,} clips; all are in "
            "speakers/assignments.tsv, and patterns in your file reach them."
        )
    return limits


def _to_row(item: Item, numbers: Mapping[str, int]) -> list[Any]:
    x, y = item.place
    return [
        item.clip,
        numbers[item.speaker],
        round(item.confidence, 2),
        round(item.seconds, 2),
        round(x, 4),
        round(y, 4),
        item.text,
        item.why,
        item.sound,
        int(item.left_out),
    ]


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _to_json(value: Any) -> str:
    """Write JSON that cannot end the element it stands in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
