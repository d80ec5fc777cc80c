"""Which column of a table holds what: by its header, else by its content, else the user says."""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from lib.corpus.clip import Columns, CorpusError

AUDIO_NAMES = (
    "file_name",
    "path",
    "audio",
    "audio_file",
    "audio_filepath",
    "audio_path",
    "audio_file_path",
    "filename",
    "file_path",
    "filepath",
    "wav",
    "wav_filename",
    "wav_path",
    "wav_file",
)
EMBEDDED_NAMES = ("audio", "path", "file_name")
TEXT_NAMES = (
    "text",
    "transcription",
    "transcript",
    "sentence",
    "raw_text",
    "raw_transcription",
    "normalized_text",
    "normalised_text",
)
ID_NAMES = ("id",)
SPEAKER_NAMES = ("speaker", "speaker_name", "speaker_id", "client_id", "spk", "spk_id")
# Where nothing else names the audio: in a table with `|`, and where they hold names of files.
BARE_AUDIO_NAMES = ("id", "file")
# Where a text is spoken within a longer recording.
PART_NAMES = tuple(
    "start start_time start_sec start_ms begin begin_time begin_ms segment_start onset "
    "offset".split()
)
NORMALISED_NAMES = ("normalised", "normalized", "normalised_text", "normalized_text")
HEADER_WORDS = frozenset(
    (*AUDIO_NAMES, *TEXT_NAMES, *ID_NAMES, *SPEAKER_NAMES, *BARE_AUDIO_NAMES, *NORMALISED_NAMES)
)

# LJSpeech: id|text|normalised, and what is spoken: the last of the two that is not empty.
LJSPEECH_COLUMNS = ("id", "text", "normalised", "spoken")

_NUMBER = re.compile(r"[-+]?\d[\d\s.,:/]*\s*(?:s|ms|sec|hz|khz)?", re.IGNORECASE)
_SAMPLE = 400  # rows
# From this likeness on two texts are two spellings of one.
_ALIKE = 0.6


def plain_name(name: str) -> str:
    """Return a column's name as it is compared: without case, spaces as underscores."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def is_header(cells: Iterable[str], chosen: Columns) -> bool:
    """Whether the first cells of a table are names of columns."""
    named = {getattr(chosen, field.name) for field in fields(Columns)} - {None}
    cells = [cell.strip() for cell in cells]
    return any(plain_name(cell) in HEADER_WORDS or cell in named for cell in cells)


def resolve_columns(
    chosen: Columns, audio_names: Sequence[str], found: Sequence[str], path: Path
) -> Columns:
    """Return the names that a source's columns really have.

    Raises
    ------
    CorpusError
        If a column that is needed or was named is not there, or one that could be meant by
        several names is there more than once.
    """
    defaults = {"audio": audio_names, "text": TEXT_NAMES, "id": ID_NAMES}
    resolved: dict[str, str | None] = {}
    for field in fields(Columns):
        wanted = getattr(chosen, field.name)
        if wanted:
            resolved[field.name] = wanted if wanted in found else None
        else:
            resolved[field.name] = _find_name(defaults.get(field.name, ()), found)
        if resolved[field.name] is None and (wanted or field.name in ("audio", "text")):
            expected = [wanted] if wanted else defaults[field.name]
            raise CorpusError(
                f"{path}: has columns {', '.join(found) or 'none'}, expected "
                f"{' or '.join(expected[:4])} for the {field.name}: name the right one in "
                f"source.columns.{field.name}"
            )
    for field, name in resolved.items():
        if name is not None and list(found).count(name) > 1:
            raise CorpusError(
                f"{path}: has {found.count(name)} columns called {name}, expected one for the "
                f"{field}: give them different names"
            )
    if resolved["id"] == resolved["audio"]:
        resolved["id"] = None  # the id is made from the file's name
    return Columns(**resolved)


def _find_name(names: Sequence[str], found: Sequence[str]) -> str | None:
    """Return the first name that is there as it stands, else in another spelling."""
    plain = {plain_name(name): name for name in reversed(found)}
    exact = next((name for name in names if name in found), None)
    return exact or next((plain[name] for name in names if name in plain), None)


@dataclass(frozen=True, slots=True)
class Guess:
    """What the columns of a table without a header hold.

    Attributes
    ----------
    audio
        Index of the column with the recordings.
    text
        Index of that with the transcripts.
    ljspeech
        Whether the table is id|text|normalised.
    """

    audio: int
    text: int
    ljspeech: bool = False


def column_label(index: int) -> str:
    """Return what a column without a name is called, from 0: `column 1`."""
    return f"column {index + 1}"


def guess_columns(
    rows: Sequence[Sequence[str]],
    names_audio: Callable[[str], bool],
    chosen: Columns,
    path: Path,
) -> Guess:
    """Tell the columns of a table without a header by what they hold.

    The recordings are where cells name files. Of the others, numbers and times are no text, nor
    are single words that come again and again; two columns of one sentence in two spellings are
    LJSpeech's. Two columns alone leave no choice.

    Raises
    ------
    CorpusError
        If more than one column, or none, may be the text: with the lines that settle it.
    """
    width = max(map(len, rows))
    sample = [[cell.strip() for cell in row] for row in rows[:: max(1, len(rows) // _SAMPLE)]]
    columns = [[row[at] for row in sample if at < len(row)] for at in range(width)]
    labels = [column_label(at) for at in range(width)]
    named = {at: labels.index(name) for at, name in _chosen(chosen) if name in labels}
    audio = named.get("audio", _find_audio(columns, names_audio))
    rest = [at for at in range(width) if at != audio]
    if "text" in named or len(rest) == 1:
        return Guess(audio, named.get("text", rest[0]))
    if width == 3 and audio == 0 and _are_spellings(sample):
        return Guess(0, 1, ljspeech=True)
    texts = [at for at in rest if not _is_number(columns[at])]
    sentences = [at for at in texts if _is_sentences(columns[at])]
    if len(sentences) == 1 and _all_labels(columns, [at for at in texts if at not in sentences]):
        return Guess(audio, sentences[0])
    if len(texts) == 1:
        return Guess(audio, texts[0])
    raise CorpusError(_ask(path, sample, audio, sentences or texts or rest, labels))


def _chosen(chosen: Columns) -> list[tuple[str, str]]:
    return [(f.name, name) for f in fields(Columns) if (name := getattr(chosen, f.name))]


def _find_audio(columns: Sequence[Sequence[str]], names_audio: Callable[[str], bool]) -> int:
    """Return the column in which most cells name a recording; the first, where none does."""
    shares = [
        sum(map(names_audio, column)) / max(1, len(column)) if column else 0.0 for column in columns
    ]
    return shares.index(max(shares))


def _is_number(column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell]
    return sum(bool(_NUMBER.fullmatch(cell)) for cell in filled) >= 0.9 * len(filled)


def _is_sentences(column: Sequence[str]) -> bool:
    """Whether most cells are several words, or long, and few come again and again."""
    filled = [cell for cell in column if cell]
    long = sum(len(cell.split()) > 1 or len(cell) > 24 for cell in filled)
    return bool(filled) and long > 0.5 * len(filled) and len(set(filled)) > 0.3 * len(filled)


def _all_labels(columns: Sequence[Sequence[str]], others: Iterable[int]) -> bool:
    """Whether other columns are no sentences by a wide margin: single words, or repeated."""
    for at in others:
        filled = [cell for cell in columns[at] if cell]
        long = sum(len(cell.split()) > 3 for cell in filled)
        if long > 0.2 * len(filled) and len(set(filled)) > 0.3 * len(filled):
            return False
    return True


def _are_spellings(sample: Sequence[Sequence[str]]) -> bool:
    """Whether second and third column are one text twice, or the third is mostly left empty."""
    pairs = [row[1:3] for row in sample if len(row) > 2 and row[1] and row[2]]
    if not pairs:
        return True
    alike = sum(
        difflib.SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio()
        >= _ALIKE
        for one, other in pairs[:100]
    )
    return alike >= 0.8 * len(pairs[:100])


def _ask(
    path: Path,
    sample: Sequence[Sequence[str]],
    audio: int,
    doubtful: Sequence[int],
    labels: Sequence[str],
) -> str:
    shown = " | ".join(sample[0])
    # Whoever copies the lines unread gets the longest texts, not the names of speakers.
    lengths = {at: sum(len(row[at]) for row in sample if at < len(row)) for at in doubtful}
    likely = max(doubtful, key=lambda at: (lengths[at], at))
    maybe = " or ".join(labels[at] for at in doubtful)
    return (
        f"{path}: has no header, and {maybe} may be the transcript. Its first row is\n"
        f"    {shown[:300]}\n"
        "Write a first row with the columns' names (file_name, text), or say it in the "
        "configuration:\n"
        "  source:\n"
        "    columns:\n"
        f"      audio: {labels[audio]}\n"
        f"      text: {labels[likely]}"
    )


def name_rows(guess: Guess, width: int, chosen: Columns) -> tuple[Columns, list[str]]:
    """Return the columns of a table without a header, and all their names."""
    if guess.ljspeech:
        columns = replace(chosen, audio="id", text=chosen.text or "spoken")
        return columns, list(LJSPEECH_COLUMNS)
    names = [column_label(at) for at in range(width)]
    text = names[guess.text] if chosen.text in (None, *LJSPEECH_COLUMNS) else chosen.text
    return replace(chosen, audio=chosen.audio or names[guess.audio], text=text), names
