"""The room's stages by hand: ``python -m lib.speakers``."""

import json
import subprocess
import sys

import numpy as np
import pytest

from lib.audio.wav import write_wav
from lib.provenance import code_digest
from lib.speakers import __main__ as command
from lib.speakers.embedding import embed_clips
from lib.speakers.shard import read_shard, write_shard
from lib.speakers.tables import read_assignments
from tests.speakers.conftest import ids


@pytest.fixture
def embeddings(voices, tmp_path):
    """Embeddings of two speakers in two files."""
    files = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    for number, (file, count) in enumerate(zip(files, (5, 8), strict=True)):
        write_shard(file, voices.embed(number, [f"{'ab'[number]}_{n}" for n in range(count)]))
    return [str(file) for file in files]


def cluster(embeddings, folder, *more):
    """Cluster without a second opinion, as there are no recordings."""
    config = folder.parent / "resemblyzer.yaml"
    config.write_text("speakers: {second_opinion: null}\n")
    more = more if "--config" in more else (*more, "--config", str(config))
    command.main(["cluster", *embeddings, "--output", str(folder), *more])
    table = read_assignments(folder / "assignments.tsv")
    return {clip: row.speaker_id for clip, row in table.items()}


@pytest.mark.parametrize("stage", [[], ["embed"], ["cluster"], ["doubts"]])
def test_help(stage):
    line = [sys.executable, "-m", "lib.speakers", *stage, "--help"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m lib.speakers {' '.join(stage)}".rstrip())


def test_a_folder_of_clips_is_embedded_as_the_workflow_does(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    noise = np.random.default_rng(0).normal(0, 3000, 30000).astype(np.int16)
    write_wav(clips / "one.wav", noise, 16000)
    write_wav(clips / "two.wav", noise[:20000], 16000)
    command.main(["embed", str(clips), str(tmp_path / "all.parquet"), "--device", "cpu"])
    wavs = {name: clips / f"{name}.wav" for name in ("one", "two")}
    code = code_digest("lib.speakers.embedding")
    embed_clips(wavs, tmp_path / "workflow.parquet", device="cpu", code=code)
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "workflow.parquet").read_bytes()


def test_what_was_embedded_is_kept(tmp_path, monkeypatch):
    write_wav(tmp_path / "one.wav", np.ones(20000, np.int16), 22050)
    line = ["embed", str(tmp_path), str(tmp_path / "all.parquet"), "--device", "cpu"]
    command.main(line)
    assert read_shard(tmp_path / "all.parquet")["one"].duration == pytest.approx(20000 / 22050)
    monkeypatch.setattr(
        "lib.speakers.embedding._load_encoder", lambda device: pytest.fail("loaded")
    )
    command.main(line)


def test_a_folder_that_cannot_be_embedded_is_refused(tmp_path):
    line = ["embed", str(tmp_path), str(tmp_path / "all.parquet")]
    with pytest.raises(SystemExit, match="no WAV file is there"):
        command.main(line)
    write_wav(tmp_path / "one.wav", np.ones(2000, np.int16), 16000)
    write_wav(tmp_path / "two.wav", np.ones(2000, np.int16), 22050)
    with pytest.raises(
        SystemExit, match=r"one.wav has 16000 Hz and two.wav has 22050 Hz; expected"
    ):
        command.main(line)
    (tmp_path / "two.wav").write_bytes(b"RIFF")
    with pytest.raises(SystemExit, match=r"two\.wav: not a readable WAV file"):
        command.main(line)


def test_clusters_become_the_tables_of_the_workflow(embeddings, tmp_path):
    found = cluster(embeddings, tmp_path / "out")
    assert ids(found, [f"b_{n}" for n in range(8)]) == {"spk000"}
    assert ids(found, [f"a_{n}" for n in range(5)]) == {"spk001"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "assignments.tsv",
        "centroids.parquet",
        "doubts.tsv",
        "excluded.tsv",
        "map.tsv",
        "registry.json",
        "speakers.json",
        "state.json",
    }
    assert cluster(embeddings, tmp_path / "out") == found


def test_ids_are_kept_in_the_record_that_is_named(embeddings, tmp_path):
    state = ["--state", str(tmp_path / "mine.json")]
    assert set(cluster(embeddings[:1], tmp_path / "one", *state).values()) == {"spk000"}
    found = cluster(embeddings, tmp_path / "two", *state)
    assert (found["a_0"], found["b_0"]) == ("spk000", "spk001")


def test_settings_labels_and_overrides_are_followed(embeddings, tmp_path):
    for number, line in enumerate(("count: 1", "min_clips: 6", "similarity_threshold: 0.1")):
        config = tmp_path / f"{number}.yaml"
        config.write_text(f"speakers: {{second_opinion: null, {line}}}\n")
        more = ["--config", str(config)]
        assert set(cluster(embeddings, tmp_path / f"{number}", *more).values()) == {"spk000"}
    labels = tmp_path / "labels.tsv"
    labels.write_text("clip\tspeaker\na_0\tAnna\na_1\tAnna\nb_0\tBen\n")
    overrides = tmp_path / "speakers.yaml"
    overrides.write_text("names: {spk001: Benjamin}\nassign: {Anna: [b_1]}\n")
    more = ["--labels", str(labels), "--overrides", str(overrides)]
    found = cluster(embeddings, tmp_path / "4", *more)
    assert found["b_1"] == found["a_0"] == "spk000"
    names = json.loads((tmp_path / "4/registry.json").read_text())["speakers"]
    assert {key: row["name"] for key, row in names.items()} == {
        "spk000": "Anna",
        "spk001": "Benjamin",
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--config", "wrong.yaml"], r"wrong\.yaml cannot be read"),
        (["--overrides", "missing.yaml"], r"missing\.yaml cannot be read"),
        (["--labels", "missing.tsv"], r"missing\.tsv"),
    ],
)
def test_what_does_not_fit_is_said_without_traceback(embeddings, tmp_path, more, said):
    with pytest.raises(SystemExit, match=said):
        cluster(embeddings, tmp_path / "out", *more)
    assert not (tmp_path / "out").exists()


def test_the_second_opinion_hears_the_clips(voices, tmp_path):
    """Resemblyzer finds two voices; to CAM++ they are one noise."""
    clips = tmp_path / "clips"
    clips.mkdir()
    names = [[f"{'ab'[voice]}_{number}" for number in range(6)] for voice in range(2)]
    random = np.random.default_rng(0)
    for name in sum(names, []):
        write_wav(clips / f"{name}.wav", random.normal(0, 3000, 16000).astype(np.int16), 16000)
    rows = [row for voice in range(2) for row in voices.embed(voice, names[voice])]
    write_shard(tmp_path / "all.parquet", rows)
    line = ["cluster", str(tmp_path / "all.parquet"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=r"expected --clips FOLDER.*second_opinion: null"):
        command.main(line)
    command.main([*line, "--clips", str(clips), "--device", "cpu"])
    found = read_assignments(tmp_path / "out/assignments.tsv")
    assert {row.speaker_id for row in found.values()} == {"spk000"}
    assert (tmp_path / "out/second_opinion.parquet").is_file()
    assert len(set(cluster([str(tmp_path / "all.parquet")], tmp_path / "alone").values())) == 2
