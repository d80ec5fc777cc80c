"""The meaning of a table's columns, by the configuration, its header or its content."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from lib.corpus.clip import Columns, CorpusError, Note

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
# These name the audio if no other column does, in a table with `|` or if they have file names.
BARE_AUDIO_NAMES = ("id", "file")
# Columns with the place of a text within a longer recording.
PART_NAMES = tuple(
    "start start_time start_sec start_ms begin begin_time begin_ms segment_start onset "
    "offset".split()
)
# Transcripts that may be words or may stand for an empty cell.
DOUBTFUL_TEXTS = frozenset("None none null nil NA na undefined".split())
NORMALISED_NAMES = ("normalised", "normalized", "normalised_text", "normalized_text")
HEADER_WORDS = frozenset(
    (*AUDIO_NAMES, *TEXT_NAMES, *ID_NAMES, *SPEAKER_NAMES, *BARE_AUDIO_NAMES, *NORMALISED_NAMES)
)

# LJSpeech is id|text|normalised. The last of the two texts that is not empty is spoken.
LJSPEECH_COLUMNS = ("id", "text", "normalised", "spoken")

_NUMBER = re.compile(r"[-+]?\d[\d\s.,:/]*\s*(?:s|ms|sec|hz|khz)?", re.IGNORECASE)
_SAMPLE = 400  # rows
# Two texts with at least this similarity are two spellings of the same text.
_MIN_SIMILARITY = 0.6


def plain_name(name: str) -> str:
    """Return a column's name for comparison: without case, with underscores for spaces."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def is_header(cells: Iterable[str], chosen: Columns) -> bool:
    """Return whether the first cells of a table are names of columns."""
    named = {getattr(chosen, field.name) for field in fields(Columns)} - {None}
    cells = [cell.strip() for cell in cells]
    return any(plain_name(cell) in HEADER_WORDS or cell in named for cell in cells)


def resolve_columns(
    chosen: Columns, audio_names: Sequence[str], found: Sequence[str], path: Path
) -> Columns:
    """Return the names of a source's columns.

    Parameters
    ----------
    chosen
        Names in the configuration.
    audio_names
        Usual names of the audio column.
    found
        All columns of the source.
    path
        The source, for messages.

    Raises
    ------
    CorpusError
        If a needed or configured column does not exist, or if a name occurs more than once.
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
    """Return the first name that exists exactly, or else in another spelling."""
    plain = {plain_name(name): name for name in reversed(found)}
    exact = next((name for name in names if name in found), None)
    return exact or next((plain[name] for name in names if name in plain), None)


def note_columns(
    names: Sequence[str], texts: Sequence[tuple[str, str | None]], columns: Columns, label: str
) -> Iterator[Note]:
    """Yield notes about columns that are not read, but may be important.

    Parameters
    ----------
    names
        All columns of the table.
    texts
        Origin and transcript of every row.
    columns
        The columns that are read.
    label
        Name of the table in messages.
    """
    found = [name for name in names if plain_name(name) in SPEAKER_NAMES]
    if columns.speaker is None and found:
        yield Note(
            label,
            f"its column {found[0]!r} is not read: if it says who speaks, set "
            f"source.columns.speaker to {found[0]}",
        )
    others = [name for name in names if plain_name(name) in TEXT_NAMES and name != columns.text]
    if others and columns.text in names:
        yield Note(
            label,
            f"the transcripts are those of {columns.text!r} and not of {others[0]!r}: if it should "
            f"be the other, set source.columns.text to {others[0]}",
        )
    empty = [(origin, text) for origin, text in texts if text in DOUBTFUL_TEXTS]
    if empty:
        origin, text = empty[0]
        yield Note(
            origin,
            f"its text is {text!r}, which programs write for an empty cell "
            f"({len(empty)} such rows): empty the cell if nothing is said",
        )
    parts = [name for name in names if plain_name(name) in PART_NAMES]
    if parts:
        yield Note(
            label,
            f"its column {parts[0]!r} is not read: if rows are parts of longer recordings, write "
            "each part to a file of its own first",
        )


@dataclass(frozen=True, slots=True)
class Guess:
    """The columns of a table without a header.

    Attributes
    ----------
    audio
        Index of the column with the recordings.
    text
        Index of the column with the transcripts.
    ljspeech
        Whether the table is id|text|normalised.
    """

    audio: int
    text: int
    ljspeech: bool = False


def column_label(index: int) -> str:
    """Return the name of a column without a header: `column 1` for index 0."""
    return f"column {index + 1}"


def guess_columns(
    rows: Sequence[Sequence[str]],
    names_audio: Callable[[str], bool],
    chosen: Columns,
    path: Path,
) -> Guess:
    """Find the columns of a table without a header by their content.

    The recordings are in the column whose cells name files. Of the other columns, those of numbers,
    times or often repeated single words are not the text. Two columns with two spellings of the
    same sentence are those of LJSpeech. If there is only one other column, it is the text.

    Raises
    ------
    CorpusError
        If several columns or none may be the text. The message has the lines for the configuration.
    """
    width = max(map(len, rows))
    sample = [[cell.strip() for cell in row] for row in rows[:: max(1, len(rows) // _SAMPLE)]]
    columns = [[row[at] for row in sample if at < len(row)] for at in range(width)]
    labels = [column_label(at) for at in range(width)]
    named = {at: labels.index(name) for at, name in _chosen(chosen) if name in labels}
    audio = named.get("audio", _find_audio(columns, names_audio))
    rest = [at for at in range(width) if at != audio]
    if not rest:
        raise CorpusError(
            f"{path}: most rows have one cell only, expected at least the name of a file and a "
            "text, with a tab or one of | ; , between them in every row"
        )
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
    """Return the column in which most cells name a recording; the first if none does."""
    shares = [
        sum(map(names_audio, column)) / max(1, len(column)) if column else 0.0 for column in columns
    ]
    return shares.index(max(shares))


def _is_number(column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell]
    return sum(bool(_NUMBER.fullmatch(cell)) for cell in filled) >= 0.9 * len(filled)


def _is_sentences(column: Sequence[str]) -> bool:
    """Return whether most cells are long or have several words, and few are repeated."""
    filled = [cell for cell in column if cell]
    long = sum(len(cell.split()) > 1 or len(cell) > 24 for cell in filled)
    return bool(filled) and long > 0.5 * len(filled) and len(set(filled)) > 0.3 * len(filled)


def _all_labels(columns: Sequence[Sequence[str]], others: Iterable[int]) -> bool:
    """Return whether columns clearly have labels: single words, or values that are repeated."""
    for at in others:
        filled = [cell for cell in columns[at] if cell]
        long = sum(len(cell.split()) > 3 for cell in filled)
        if long > 0.2 * len(filled) and len(set(filled)) > 0.3 * len(filled):
            return False
    return True


def _are_spellings(sample: Sequence[Sequence[str]]) -> bool:
    """Return whether the third column is the second in another spelling, or is mostly empty."""
    pairs = [row[1:3] for row in sample if len(row) > 2 and row[1] and row[2]]
    if not pairs:
        return True
    similar = sum(
        difflib.SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio()
        >= _MIN_SIMILARITY
        for one, other in pairs[:100]
    )
    return similar >= 0.8 * len(pairs[:100])


def _ask(
    path: Path,
    sample: Sequence[Sequence[str]],
    audio: int,
    doubtful: Sequence[int],
    labels: Sequence[str],
) -> str:
    shown = " | ".join(sample[0])
    # The column with the longest texts is proposed, because others may be names of speakers.
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
