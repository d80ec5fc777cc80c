"""What stays the same when a source changes, and what does not."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import lfs
from lib.corpus import (
    Columns,
    CorpusError,
    content_hash,
    corpus,
    load_corpus,
    read_corpus,
    save_corpus,
)
from lib.corpus.content_hash import digest_bytes

FILES = {"a.webm": b"one", "b.webm": b"two", "C.webm": b"three"}


def write_source(
    folder: Path, files: dict[str, bytes], texts: dict[str, str] | None = None
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file_name,text"]
    for name, content in files.items():
        (folder / name).write_bytes(content)
        lines.append(f"{name},{(texts or {}).get(name, f'Text of {name}')}")
    (folder / "metadata.csv").write_text("\n".join(lines), "utf-8")


@pytest.fixture
def source(tmp_path) -> Path:
    write_source(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The files whose content was read."""
    seen: list[str] = []

    def digest_file(path):
        seen.append(Path(path).name)
        return content_hash.digest_file(path)

    monkeypatch.setattr(corpus, "digest_file", digest_file)
    return seen


@pytest.fixture
def opened() -> Iterator[set[str]]:
    """The names of the files that Python opened, by whatever way."""
    names: set[str] = set()
    watching = [True]

    def note(event: str, arguments: tuple) -> None:
        if watching and event == "open" and isinstance(arguments[0], str | os.PathLike):
            names.add(Path(arguments[0]).name)

    sys.addaudithook(note)  # for good: Python has no way to take one back
    yield names
    watching.clear()


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled at once, or each test would have to wait for two seconds."""
    monkeypatch.setattr(content_hash, "SETTLING_TIME", -(10**12))


def read(source: Path, cache: Path | None = None):
    corpus = read_corpus(source, Columns(), cache)
    if cache:
        save_corpus(corpus, cache)
    return corpus


def test_clips_are_sorted_by_id(source):
    assert list(read(source).clips) == ["C", "a", "b"]


def test_digest_is_this(source):
    """A golden value: a digest that changes without reason retrains every voice."""
    assert digest_bytes(b"one") == read(source).clips["a"].content_hash
    assert digest_bytes(b"one") == "c88d4df74262143a08e9d190e3bd67f1"
    assert read(source).digest("content_hash", "text") == "b0a2002c32b3be35b9e3d0ed457a18e9"


def test_digest_sees_only_its_fields_and_clips(source):
    before = read(source)
    write_source(source, FILES, {"a.webm": "Another text"})
    after = read(source)

    assert before.digest("content_hash") == after.digest("content_hash")
    assert before.digest("text") != after.digest("text")
    assert before.digest("text", ids=["b", "C"]) == after.digest("text", ids=["C", "b"])
    assert before.digest("text", ids=["a"]) != after.digest("text", ids=["a"])


@settings(max_examples=40)
@given(
    before=st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=3), min_size=1),
    after=st.dictionaries(st.sampled_from("abcd"), st.binary(max_size=3), min_size=1),
)
def test_digest_changes_exactly_when_content_does(tmp_path_factory, before, after):
    digests = []
    for files in (before, after):
        folder = tmp_path_factory.mktemp("source")
        write_source(folder, {f"{name}.wav": content for name, content in files.items()})
        digests.append(read(folder).digest("content_hash"))

    assert (digests[0] == digests[1]) == (before == after)


@settings(max_examples=30)
@given(data=st.data())
def test_other_rows_never_change_an_id(tmp_path_factory, data):
    """Rows may come, go and change places: a clip's record stays what it was."""
    names = st.sampled_from(["a.webm", "b.wav", "ü.wav", "x y.mp3", ".h.wav", "con.wav", "l" * 90])
    files = {name: name.encode() for name in data.draw(st.lists(names, min_size=1, unique=True))}
    kept = data.draw(st.permutations(sorted(files)))[: data.draw(st.integers(1, len(files)))]
    folder, other = tmp_path_factory.mktemp("all"), tmp_path_factory.mktemp("some")
    write_source(folder, files)
    write_source(other, {name: files[name] for name in kept})

    everything, some = read(folder).clips, read(other).clips

    for id_, clip in some.items():
        assert (everything[id_].text, everything[id_].content_hash) == (
            clip.text,
            clip.content_hash,
        )


def test_ids_that_differ_in_case_get_files_of_their_own(tmp_path):
    write_source(tmp_path, {"x.wav": b"1", "X.wav": b"2"})
    (tmp_path / "metadata.csv").write_text("file_name,text\nx.wav,1\nX.wav,2\nX.wav,3\n")

    found = read(tmp_path)

    assert len({id_.lower() for id_ in found.clips}) == len(found.clips) == 2
    assert "x" in found.clips
    assert [row.reason for row in found.invalid_rows] == ["duplicate_id"]


# --- the cache -----------------------------------------------------------------------------------


def test_unchanged_files_are_not_read_again(source, tmp_path, reads, settled):
    first = read(source, tmp_path / "cache")
    assert sorted(reads) == sorted(FILES)
    reads.clear()

    assert read(source, tmp_path / "cache") == first
    assert reads == []


def test_touch_changes_nothing(source, tmp_path, reads, settled):
    first = read(source, tmp_path / "cache")
    reads.clear()
    os.utime(source / "a.webm", (1, 1))

    assert read(source, tmp_path / "cache") == first
    assert reads == ["a.webm"]


def test_changed_content_changes_that_clip_alone(source, tmp_path, settled):
    first = read(source, tmp_path / "cache")
    stat = (source / "a.webm").stat()
    (source / "a.webm").write_bytes(b"ONE")
    # Copied with its old time stamp, as rsync and archives do.
    os.utime(source / "a.webm", ns=(stat.st_atime_ns, stat.st_mtime_ns))

    second = read(source, tmp_path / "cache")

    changed = [id_ for id_ in first.clips if first.clips[id_] != second.clips[id_]]
    assert changed == ["a"]


def test_file_written_a_moment_ago_is_read_again(source, tmp_path, reads):
    """Its next version might have the same size and time stamp."""
    read(source, tmp_path / "cache")
    reads.clear()

    read(source, tmp_path / "cache")

    assert sorted(reads) == sorted(FILES)


def test_shard_is_digested_once(tmp_path, settled, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lib.corpus import shards

    (tmp_path / "source").mkdir()
    table = pa.table({"audio": [b"1", b"2"], "text": ["x", "y"]})
    pq.write_table(table, tmp_path / "source/x.parquet")
    first = read(tmp_path / "source", tmp_path / "cache")
    monkeypatch.setattr(shards, "digest_rows", lambda *_: pytest.fail("read again"))

    assert read(tmp_path / "source", tmp_path / "cache") == first


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"a": 1}', b"null"])
@pytest.mark.parametrize("name", ["content_hashes.json", "corpus.json"])
def test_damaged_cache_is_written_anew(source, tmp_path, settled, name, content, caplog):
    first = read(source, tmp_path / "cache")
    (tmp_path / "cache" / name).write_bytes(content)

    assert read(source, tmp_path / "cache") == first
    assert load_corpus(tmp_path / "cache") == first
    json.loads((tmp_path / "cache" / name).read_bytes())
    if name == "content_hashes.json":
        assert "content_hashes.json is damaged" in caplog.text


@pytest.mark.parametrize("digest", [None, 5, "x", [5], {}])
def test_wrong_digests_in_a_cache_of_the_right_form(source, tmp_path, settled, digest):
    """Entries that are no digests are not taken for some."""
    first = read(source, tmp_path / "cache")
    path = tmp_path / "cache/content_hashes.json"
    entries = json.loads(path.read_bytes())
    path.write_text(json.dumps({key: [stamp, digest] for key, (stamp, _) in entries.items()}))

    assert read(source, tmp_path / "cache") == first


# --- the index -----------------------------------------------------------------------------------


def test_index_gives_back_the_corpus(source, tmp_path):
    with (source / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("\ngone.webm,text\n")

    written = read(source, tmp_path / "cache")

    assert load_corpus(tmp_path / "cache") == written
    assert load_corpus(tmp_path / "cache/corpus.json") == written
    assert len(written.invalid_rows) == 1


def test_index_keeps_its_time_stamp_unless_the_content_changed(source, tmp_path):
    index = tmp_path / "cache/corpus.json"
    read(source, tmp_path / "cache")
    os.utime(index, (1, 1))

    read(source, tmp_path / "cache")
    assert index.stat().st_mtime == 1

    write_source(source, FILES, {"a.webm": "Another text"})
    read(source, tmp_path / "cache")
    assert index.stat().st_mtime > 1


@pytest.mark.parametrize("content", [None, "", "[]", '{"version": 0}'])
def test_missing_or_foreign_index_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "corpus.json").write_text(content)

    with pytest.raises(CorpusError, match="corpus.json: not an index"):
        load_corpus(tmp_path / "corpus.json")


def test_no_audio_is_opened_again_where_nothing_changed(tmp_path, settled, opened):
    """A start with thousands of clips asks for the state of every file, and opens the table alone.

    Clips of usual size: a file as small as a Git LFS pointer is looked into each time.
    """
    files = {f"clip{n}.webm": b"%d" % n + bytes(lfs.MAX_SIZE) for n in range(100)}
    write_source(tmp_path / "source", files)
    first = read(tmp_path / "source", tmp_path / "cache")
    assert files.keys() < opened
    opened.clear()

    assert read(tmp_path / "source", tmp_path / "cache") == first
    assert "metadata.csv" in opened
    assert not opened & files.keys()


def test_rows_that_are_no_clips_have_a_digest_of_their_own(source):
    before = read(source)
    assert read(source).digest_invalid_rows() == before.digest_invalid_rows()
    with (source / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("\ngone.webm,text")
    one = read(source)
    with (source / "metadata.csv").open("a", encoding="utf-8") as file:
        file.write("\nlost.webm,text")
    two = read(source)

    assert before.digest("text") == two.digest("text")
    digests = [found.digest_invalid_rows() for found in (before, one, two)]
    assert len(set(digests)) == 3
