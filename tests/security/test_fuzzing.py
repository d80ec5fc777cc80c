"""Whatever a file holds, it is read, or refused by name, within a bounded time."""

import json
import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.audio.convert import REASONS, convert
from lib.audio.measurement import read_sidecar
from lib.audio.wav import read_wav
from lib.config.audio import AudioSettings
from lib.corpus import Columns, read_audio, read_corpus
from lib.corpus.clip import CorpusError
from lib.synthesis.text_table import check_text_table
from tests.audio.encoding import encode, speechlike

# Milliseconds for one file. Each takes a few; a reader that grows with the square of its input, or
# that a length in a header leads to reserve memory, takes longer or more.
DEADLINE = 20_000
MEMORY = 2 * 2**30  # bytes that the reading of small files may add to the process
BOUNDED = settings(
    max_examples=60,
    deadline=DEADLINE,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

FORMATS = {
    "webm": ("webm", "libopus"),
    "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("mp4", "aac"),
    "flac": ("flac", "flac"),
    "wav": ("wav", "pcm_s16le"),
    "aiff": ("aiff", "pcm_s16be"),
    "mkv": ("matroska", "libopus"),
}
ROWS = [
    {"file_name": f"a{number}.wav", "text": f"Sätz, number {number}", "speaker": f"s{number % 2}"}
    for number in range(6)
]
NOTHING = Columns()


@pytest.fixture(autouse=True)
def _memory_is_bounded():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


def damage(content: bytes, chance: random.Random) -> bytes:
    """Return a file with bytes changed, removed, repeated and put in, the extremes most often."""
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(damaged) + 1)
        length = chance.choice((1, 2, 4, 8, 40, 400))
        kind = chance.randrange(5)
        if kind == 0:
            damaged[place : place + length] = chance.choice((b"\0", b"\xff", b"\x7f")) * length
        elif kind == 1:
            damaged[place : place + 1] = chance.randbytes(1)
        elif kind == 2:
            del damaged[place : place + length]
        elif kind == 3:
            damaged[place:place] = chance.randbytes(length)
        else:
            damaged[place:place] = damaged[place : place + length] * chance.choice((1, 2, 50))
    return bytes(damaged)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    return st.integers(0, 2**32).map(lambda seed: damage(content, random.Random(seed)))


# ---------------------------------------------------------------- audio


def check_conversion(folder: Path, audio: bytes) -> None:
    """A clip is converted, or rejected with a reason; its files are whole either way."""
    convert("clip", audio, folder / "clip.wav", folder / "clip.json", AudioSettings())
    measured = read_sidecar(folder / "clip.json")
    assert read_wav(folder / "clip.wav").size == measured.num_samples
    assert (measured.status == "ok") != (measured.reason in REASONS)
    assert measured.duration <= AudioSettings().max_duration + 0.1


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_audio_of_every_format_is_converted_or_rejected(tmp_path, form):
    audio = encode(speechlike(1, 48_000), *FORMATS[form])

    @BOUNDED
    @given(damaged(audio))
    def check(content: bytes) -> None:
        check_conversion(tmp_path, content)

    check()


@BOUNDED
@given(
    begin=st.sampled_from(
        [b"", b"RIFF", b"RIFF\xff\xff\xff\x7fWAVEfmt ", b"OggS\0", b"fLaC", b"ID3\x04\0", b"FORM"]
        + [b"\x1aE\xdf\xa3", b"\0\0\0\x18ftyp", b"#EXTM3U\n", b"ffconcat version 1.0\nfile "]
    ),
    rest=st.binary(max_size=400),
)
def test_any_bytes_are_no_reason_to_stop(tmp_path, begin, rest):
    check_conversion(tmp_path, begin + rest)


# ---------------------------------------------------------------- tables


def write_csv(folder: Path) -> str:
    lines = ["file_name,text,speaker"]
    lines += [f'{row["file_name"]},"{row["text"]}",{row["speaker"]}' for row in ROWS]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return "metadata.csv"


def write_ljspeech(folder: Path) -> str:
    lines = [f"{row['file_name']}|{row['text']}|{row['text']}" for row in ROWS]
    (folder / "metadata.csv").write_text("\n".join(lines), "utf-8")
    return "metadata.csv"


def write_jsonl(folder: Path) -> str:
    lines = map(json.dumps, ROWS)
    (folder / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
    return "metadata.jsonl"


def write_kaldi(folder: Path) -> str:
    for name, key in (("wav.scp", "file_name"), ("text", "text"), ("utt2spk", "speaker")):
        lines = [f"u{number} {row[key]}" for number, row in enumerate(ROWS)]
        (folder / name).write_text("\n".join(lines), "utf-8")
    return "wav.scp"


def write_parquet_table(folder: Path) -> str:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "metadata.parquet")
    return "metadata.parquet"


def embedded() -> list[dict]:
    return [
        {"audio": {"bytes": b"sound" * 9, "path": row["file_name"]}, "text": row["text"]}
        for row in ROWS
    ]


def write_shard(folder: Path) -> str:
    pq.write_table(pa.Table.from_pylist(embedded()), folder / "train.parquet", compression="gzip")
    return "train.parquet"


def write_saved(folder: Path) -> str:
    Dataset.from_list(embedded()).save_to_disk(folder)
    return next(path.name for path in folder.glob("*.arrow"))


def write_state(folder: Path) -> str:
    write_saved(folder)
    return "state.json"


WRITERS: dict[str, Callable[[Path], str]] = {
    "csv": write_csv,
    "ljspeech": write_ljspeech,
    "jsonl": write_jsonl,
    "kaldi": write_kaldi,
    "parquet table": write_parquet_table,
    "parquet with audio": write_shard,
    "saved dataset": write_saved,
    "state of a saved dataset": write_state,
}


def check_source(folder: Path) -> None:
    """A source is read, or refused by the file that is wrong; no clip comes from elsewhere."""
    try:
        corpus = read_corpus(folder, NOTHING, None)
    except CorpusError as refused:
        assert str(folder) in str(refused) or "source." in str(refused)
        return
    for clip in corpus.clips.values():
        assert Path(clip.audio.path).resolve().is_relative_to(folder.resolve())
        assert clip.text and isinstance(clip.text, str)
        assert "/" not in clip.id and clip.id not in (".", "..")
        read_audio(clip)
    assert all(row.origin and row.reason and row.detail for row in corpus.invalid_rows)


@pytest.mark.parametrize("form", WRITERS)
def test_a_damaged_table_of_every_form_is_read_or_refused_by_name(tmp_path, form):
    source = tmp_path / "source"
    source.mkdir()
    for number, row in enumerate(ROWS):
        (source / row["file_name"]).write_bytes(b"sound %d" % number)
    name = WRITERS[form](source)
    content = (source / name).read_bytes()

    @BOUNDED
    @given(damaged(content))
    def check(changed: bytes) -> None:
        (source / name).write_bytes(changed)
        check_source(source)

    check_source(source)
    check()


@BOUNDED
@given(
    name=st.sampled_from(["metadata.csv", "metadata.jsonl", "train.txt", "validated.tsv"]),
    content=st.binary(max_size=300)
    | st.text(alphabet='a.wv"|,;\t\n\r{}[]:/\\\ufeff é\0', max_size=300).map(str.encode),
)
def test_any_bytes_as_a_table_are_read_or_refused(tmp_path, name, content):
    shutil.rmtree(tmp_path / "source", ignore_errors=True)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.wav").write_bytes(b"sound")
    (tmp_path / "source" / name).write_bytes(content)
    check_source(tmp_path / "source")


@BOUNDED
@given(
    suffix=st.sampled_from(["csv", "tsv", "jsonl", "json", "txt", "parquet"]),
    content=st.binary(max_size=300),
)
def test_any_bytes_as_a_table_of_texts_are_read_or_refused(tmp_path, suffix, content):
    path = tmp_path / f"texts.{suffix}"
    path.write_bytes(content)
    try:
        check_text_table(str(path))
    except ValueError as refused:
        assert f"texts.{suffix}" in str(refused) or "speech.texts" in str(refused)


DEEP = 100_000
HOSTILE_TABLES = {
    "deep list": ("metadata.json", "[" * DEEP),
    "deep object": ("metadata.jsonl", '{"a":' * DEEP),
    "endless number": ("metadata.jsonl", '{"file_name": "a0.wav", "text": ' + "9" * DEEP + "}"),
    "endless cell": ("metadata.csv", 'file_name,text\na0.wav,"' + "x" * 50 * DEEP),
    "one cell": ("metadata.csv", "a0.wav|x\na0.wav\na0.wav\na0.wav"),
    "many columns": ("metadata.csv", "file_name,text" + "," * DEEP + "\na0.wav,hello"),
    "many quotes": ("metadata.csv", "file_name,text\n" + 'a0.wav,"x\n' * (DEEP // 10)),
    "half of a character": ("metadata.jsonl", '{"file_name": "a0.wav", "text": "\\ud800 x"}'),
    "a name with a zero": ("metadata.jsonl", '{"file_name": "a\\u0000.wav", "text": "x"}'),
    "a name with half of a character": (
        "metadata.jsonl",
        '{"file_name": "\\udcff.wav", "text": "x"}',
    ),
}


@pytest.mark.parametrize("kind", HOSTILE_TABLES)
def test_a_table_made_to_break_its_reader_is_read_or_refused(tmp_path, kind):
    name, content = HOSTILE_TABLES[kind]
    (tmp_path / "a0.wav").write_bytes(b"sound")
    (tmp_path / name).write_text(content, "utf-8")

    @settings(max_examples=1, deadline=DEADLINE, database=None)
    @given(st.just(None))
    def check(_: None) -> None:
        check_source(tmp_path)

    check()
