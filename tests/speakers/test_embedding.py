import dataclasses
import logging
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from lib.audio.wav import write_wav
from lib.speakers import embedding
from lib.speakers.embedding import embed_clips, measure_intra_clip_similarity
from lib.speakers.shard import read_embeddings, read_made_with, read_shard, write_shard
from tests.speakers.conftest import resemblyzers_own

RATE = 16000


def hum(seconds: float, pitch: float = 150.0) -> np.ndarray:
    """Return something the voice activity detector takes for speech."""
    time = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 12))
    wave = tone * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return (wave / np.abs(wave).max() * 12000).astype(np.int16)


@pytest.fixture(scope="module")
def hums(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hums")
    lengths = {"long": 5.0, "short": 0.7, "middle": 2.0, "other": 3.3}
    wavs = {clip: folder / f"{clip}.wav" for clip in lengths}
    for pitch, (clip, seconds) in enumerate(lengths.items(), 1):
        write_wav(wavs[clip], hum(seconds, 80.0 + 30 * pitch), RATE)
    embed_clips(wavs, folder / "shard.parquet")
    return wavs, folder / "shard.parquet"


def test_vectors_are_resemblyzers_own(hums):
    wavs, shard = hums
    for clip, row in read_shard(shard).items():
        assert row.vector @ resemblyzers_own(wavs[clip]) > 0.9999
        assert np.linalg.norm(row.vector) == pytest.approx(1, abs=1e-5)


def test_only_short_speech_is_tiled(hums):
    wavs, shard = hums
    rows = read_shard(shard)
    assert rows["short"].voiced < 1.6 < rows["middle"].voiced
    assert not np.allclose(rows["short"].tiled, rows["short"].vector)
    assert np.array_equal(rows["middle"].tiled, rows["middle"].vector)
    columns = read_embeddings([shard])
    assert np.array_equal(columns.vectors[columns.clips.index("short")], rows["short"].tiled)


def test_a_tiled_clip_sounds_like_itself_said_again(tmp_path):
    once = hum(0.72)
    write_wav(tmp_path / "once.wav", once, RATE)
    write_wav(tmp_path / "often.wav", np.tile(once, 4), RATE)
    wavs = {clip: tmp_path / f"{clip}.wav" for clip in ("once", "often")}
    embed_clips(wavs, tmp_path / "shard.parquet")
    rows = read_shard(tmp_path / "shard.parquet")
    tiled = rows["once"].tiled @ rows["often"].vector
    assert tiled > 0.97 and tiled > rows["once"].vector @ rows["often"].vector


def test_durations_are_those_of_the_file(hums):
    rows = read_shard(hums[1])
    assert {clip: row.duration for clip, row in rows.items()} == {
        "long": 5.0,
        "short": 0.7,
        "middle": 2.0,
        "other": 3.3,
    }


def test_clips_without_samples_are_left_out(hums, tmp_path):
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16), RATE)
    wavs = hums[0] | {"empty": tmp_path / "empty.wav"}
    embed_clips(wavs, tmp_path / "shard.parquet", hums[1])
    assert read_shard(tmp_path / "shard.parquet").keys() == hums[0].keys()


@pytest.mark.parametrize(
    "samples",
    [
        np.random.default_rng(0).normal(0, 3, 8000).astype(np.int16),
        np.zeros(8000, np.int16),
        np.full(100, 500, np.int16),
        np.ones(1, np.int16),
    ],
    ids=["noise", "digital silence", "six milliseconds", "one sample"],
)
def test_a_clip_without_speech_still_has_a_vector(samples, tmp_path):
    write_wav(tmp_path / "clip.wav", samples, RATE)
    embed_clips({"clip": tmp_path / "clip.wav"}, tmp_path / "shard.parquet")
    row = read_shard(tmp_path / "shard.parquet")["clip"]
    assert np.isfinite(row.vector).all() and np.isfinite(row.tiled).all()
    assert np.linalg.norm(row.vector) == pytest.approx(1, abs=1e-5)
    assert row.voiced == 0


def test_without_speech_the_whole_clip_stands_for_itself(monkeypatch):
    import resemblyzer

    samples = np.linspace(-3000, 3000, 8000).astype(np.int16)
    monkeypatch.setattr(resemblyzer, "preprocess_wav", lambda wav, source_sr: wav[:0])
    speech, voiced = embedding.find_speech(samples, RATE)
    assert np.array_equal(speech, samples.astype(np.float32) / 32768) and voiced == 0


def test_intra_clip_similarity_is_that_of_the_two_parts_that_differ_most():
    one, other = np.eye(2, 256, dtype=np.float32)
    mixed = (one + other) / np.sqrt(2)
    assert measure_intra_clip_similarity(np.stack([one] * 5)) == pytest.approx(1)
    assert measure_intra_clip_similarity(np.stack([one] * 3 + [other] * 2)) == pytest.approx(0)
    assert measure_intra_clip_similarity(np.stack([one] * 4 + [mixed] * 2)) == pytest.approx(
        0.7071, abs=1e-4
    )
    # One odd window between others is no second speaker: it shares its part.
    odd = measure_intra_clip_similarity(np.stack([one, one, other, one, one, one]))
    assert odd == pytest.approx(0.8944, abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_short_clip_has_no_intra_clip_similarity(count):
    windows = np.eye(count, 256, dtype=np.float32)
    assert measure_intra_clip_similarity(windows) is None


def test_shards_keep_the_intra_clip_similarity(hums):
    rows = read_shard(hums[1])
    assert rows["short"].intra_clip_similarity is rows["middle"].intra_clip_similarity is None
    assert rows["long"].intra_clip_similarity > 0.9
    columns = read_embeddings([hums[1]])
    assert dict(zip(columns.clips, columns.intra_clip_similarities, strict=True)) == {
        clip: row.intra_clip_similarity for clip, row in rows.items()
    }


def test_a_shard_of_an_earlier_version_is_made_again(hums, tmp_path, caplog):
    wavs = {"long": hums[0]["long"]}
    old = tmp_path / "old.parquet"
    table = pq.read_table(hums[1])
    names = {"tiled": "looped", "intra_clip_similarity": "agreement"}
    pq.write_table(table.rename_columns([names.get(n, n) for n in table.column_names]), old)
    embed_clips(wavs, tmp_path / "new.parquet", old)
    assert "earlier embeddings are not used" in caplog.text
    assert read_shard(tmp_path / "new.parquet")["long"].intra_clip_similarity > 0.9


def test_a_shard_of_empty_clips_has_no_rows(tmp_path):
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16), RATE)
    embed_clips({"empty": tmp_path / "empty.wav"}, tmp_path / "shard.parquet")
    assert read_shard(tmp_path / "shard.parquet") == {}
    assert read_embeddings([tmp_path / "shard.parquet"]).vectors.shape == (0, 256)


def test_only_changed_wavs_are_embedded_again(hums, tmp_path, monkeypatch):
    wavs, shard = hums
    copies = {clip: shutil.copy(wav, tmp_path) for clip, wav in wavs.items()}
    copies = {clip: tmp_path / wav.name for clip, wav in wavs.items()}
    write_wav(copies["other"], hum(3.0, 222), RATE)
    del copies["middle"]
    embedded = []
    cut = embedding._cut_windows
    monkeypatch.setattr(
        embedding, "_cut_windows", lambda clip, *rest: embedded.append(clip) or cut(clip, *rest)
    )
    embed_clips(copies, tmp_path / "new.parquet", shard)
    before, after = read_shard(shard), read_shard(tmp_path / "new.parquet")
    assert embedded == ["other"]
    assert after.keys() == copies.keys()
    assert np.array_equal(after["long"].vector, before["long"].vector)
    assert after["other"].vector @ before["other"].vector < 0.99


def test_nothing_to_embed_loads_no_encoder(hums, tmp_path, monkeypatch):
    def fail(device):
        raise AssertionError("loaded")

    monkeypatch.setattr(embedding, "_load_encoder", fail)
    embed_clips(hums[0], tmp_path / "new.parquet", hums[1])
    assert read_shard(tmp_path / "new.parquet").keys() == hums[0].keys()


def test_the_previous_file_may_be_the_same_missing_or_damaged(hums, tmp_path, caplog):
    wavs = {"short": hums[0]["short"]}
    shard = tmp_path / "shard.parquet"
    embed_clips(wavs, shard, shard)
    shard.write_bytes(b"no parquet")
    embed_clips(wavs, shard, shard)
    assert read_shard(shard).keys() == {"short"}
    assert "earlier embeddings are not used" in caplog.text


def test_other_sample_rates_are_resampled(tmp_path):
    import soxr

    fast = hum(3.0)
    slow = soxr.resample(fast.astype(np.float32), RATE, 22050).astype(np.int16)
    write_wav(tmp_path / "fast.wav", fast, RATE)
    write_wav(tmp_path / "slow.wav", slow, 22050)
    embed_clips({"a": tmp_path / "fast.wav"}, tmp_path / "a.parquet")
    embed_clips({"a": tmp_path / "slow.wav"}, tmp_path / "b.parquet", sample_rate=22050)
    one, other = (read_shard(tmp_path / f"{name}.parquet")["a"] for name in "ab")
    assert one.vector @ other.vector > 0.99
    assert one.duration == pytest.approx(other.duration, abs=0.001)


@pytest.mark.parametrize(
    ("asked", "seen", "works", "tried"),
    [
        (None, True, True, ["cuda"]),
        (None, False, True, ["cpu"]),
        ("cpu", True, True, ["cpu"]),
        (None, True, False, ["cuda", "cpu"]),
        ("cuda", False, False, ["cuda", "cpu"]),
    ],
)
def test_a_gpu_is_used_where_there_is_one_that_works(
    asked, seen, works, tried, monkeypatch, caplog
):
    import resemblyzer
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self, device, verbose):
            super().__init__()
            devices.append(device)
            if device == "cuda" and not works:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    devices = []
    monkeypatch.setattr(resemblyzer, "VoiceEncoder", Encoder)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    embedding._load_encoder(asked)
    assert devices == tried
    assert ("no usable GPU" in caplog.text) == (not works)


def test_without_a_gpu_the_cpu_is_used(hums, tmp_path, caplog, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if torch.backends.cuda.is_built():
        pytest.skip("this torch is built with CUDA")
    with caplog.at_level(logging.WARNING):
        embed_clips({"short": hums[0]["short"]}, tmp_path / "s.parquet", device="cuda")
    assert "no usable GPU" in caplog.text
    assert read_shard(tmp_path / "s.parquet").keys() == {"short"}


def test_a_clip_in_two_shards_is_an_error(voices, tmp_path):
    for name in ("one", "two"):
        write_shard(tmp_path / name, voices.embed(0, ["a", name]))
    with pytest.raises(ValueError, match="more than one embedding shard, the first is a"):
        read_embeddings([tmp_path / "one", tmp_path / "two"])


def test_resemblyzer_is_imported_only_when_needed():
    import subprocess
    import sys

    code = "import lib.speakers.embedding, sys; print({'resemblyzer', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize("changed", [{"code": "other"}, {"sample_rate": 8000}])
def test_other_code_or_settings_compute_every_vector_anew(hums, tmp_path, changed, caplog):
    caplog.set_level(logging.INFO)
    wavs, _ = hums
    wavs = {"short": wavs["short"]}
    shard = tmp_path / "shard.parquet"
    made_with = {"code": "this", "sample_rate": 16000}
    embed_clips(wavs, shard, **made_with)
    (row,) = read_shard(shard).values()
    marked = dataclasses.replace(row, voiced=99.0)
    write_shard(shard, [marked], read_made_with(shard))

    embed_clips(wavs, shard, previous=shard, **made_with)
    assert read_shard(shard)["short"].voiced == 99.0
    embed_clips(wavs, shard, previous=shard, **made_with | changed)
    assert read_shard(shard)["short"].voiced != 99.0
    assert "was made with other code or settings" in caplog.text


def test_another_encoder_computes_every_vector_anew(hums, tmp_path, monkeypatch):
    wavs, _ = hums
    wavs = {"short": wavs["short"]}
    embed_clips(wavs, tmp_path / "shard.parquet")
    before = read_made_with(tmp_path / "shard.parquet")
    monkeypatch.setattr(embedding, "version", lambda name: "9.9")
    embed_clips(wavs, tmp_path / "shard.parquet")
    assert read_made_with(tmp_path / "shard.parquet") != before
