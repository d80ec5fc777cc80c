"""Kaldi's data folders: `wav.scp` and `text`, with `utt2spk` if speakers are known."""

from collections.abc import Iterator
from pathlib import Path

from lib.corpus.clip import Columns, CorpusError, InvalidRow
from lib.corpus.metadata import Metadata, Record, read_text

TABLES = ("wav.scp", "text", "utt2spk")
ONCE = "expected every utterance once, since nothing tells which line is right"
NAMES = ["id", "path", "text", "speaker"]


def is_kaldi(folder: Path) -> bool:
    """Return whether a folder has recordings and transcripts in Kaldi's form."""
    return (folder / "wav.scp").is_file() and (folder / "text").is_file()


def read_kaldi(folder: Path, label: str, chosen: Columns) -> Metadata:
    """Read a data folder, which has a row for each utterance.

    Raises
    ------
    CorpusError
        If utterances are parts of longer recordings.
    """
    if (folder / "segments").exists():
        raise CorpusError(
            f"{folder / 'segments'}: utterances are cut out of longer recordings, which is not "
            "read here; expected one file for each: write them with Kaldi's "
            "extract-segments or wav-copy and leave `segments` out"
        )
    invalid_rows = [
        InvalidRow(
            key, f"{label}{name} line {number}", "damaged_row", f"{key} is there before: {ONCE}"
        )
        for name in TABLES
        for number, key in _repeated(folder / name)
    ]
    repeated = {invalid_row.clip for invalid_row in invalid_rows}
    texts, speakers = (
        {key: value for _, key, value in _lines(folder / name)} for name in ("text", "utt2spk")
    )
    records = []
    for number, key, value in _lines(folder / "wav.scp"):
        origin = f"{label}wav.scp line {number}"
        if key in repeated:
            texts.pop(key, None)
        elif value.endswith("|"):
            detail = f"{value[:60]!r} is a command, expected a file: run it and write its output"
            invalid_rows.append(InvalidRow(key, origin, "missing_file", detail))
        else:
            text = texts.pop(key, None)
            cells = {"id": key, "path": value, "text": text, "speaker": speakers.get(key)}
            records.append(Record(origin, cells))
    for key in texts:
        detail = f"{key} has a transcript in {label}text, and no recording in {label}wav.scp"
        invalid_rows.append(InvalidRow(key, f"{label}text", "missing_file", detail))
    columns = Columns("path", "text", "id", "speaker", chosen.session)
    return Metadata(columns, records, invalid_rows, NAMES)


def _repeated(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and key of lines that have another value for the key than a line before."""
    first: dict[str, str] = {}
    for number, key, value in _lines(path):
        if first.setdefault(key, value) != value:
            yield number, key


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield number, first word and the rest of every line; none if the file does not exist."""
    if not path.is_file():
        return
    for number, line in enumerate(read_text(path).split("\n"), 1):
        key, _, value = line.strip().partition(" ")
        key, _, more = key.partition("\t")
        if key:
            yield number, key, f"{more} {value}".strip()
