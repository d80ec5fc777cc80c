"""Real recordings in a dataset on disk, from bytes of three formats to the finished dataset."""

import csv
import io

import av
import datasets
import numpy as np
import pytest
import soundfile

from .conftest import Project

FORMATS = {"webm": "libopus", "mp3": "libmp3lame", "flac": "flac"}
SPEAKERS = ("vctk_p225", "vctk_p226", "vctk_p227", "vctk_p228")


def encode(samples: np.ndarray, extension: str) -> bytes:
    """Encode 16 kHz mono as a recording of that format would come, at 48 or 44.1 kHz."""
    rate = 44_100 if extension == "mp3" else 48_000
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=extension) as container:
        stream = container.add_stream(FORMATS[extension], rate=rate)
        stream.layout = "mono"
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=rate, frame_size=stream.frame_size or 0
        )
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            for packet in stream.encode(part):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return buffer.getvalue()


@pytest.fixture
def recorded(empty_project, real_speech) -> tuple[Project, dict[str, dict]]:
    """A saved dataset of four speakers' clips; the truth by clip id, for checking only."""
    truth, rows = {}, []
    with (real_speech / "truth.csv").open(newline="", encoding="utf-8") as file:
        chosen = [row for row in csv.DictReader(file) if row["speaker"] in SPEAKERS]
    for number, row in enumerate(chosen):
        samples, rate = soundfile.read(real_speech / row["file"], dtype="int16")
        assert rate == 16_000
        extension = list(FORMATS)[number % 3]
        clip = f"rec{number:03d}"
        rows.append(
            {
                "id": clip,
                "audio": {"bytes": encode(samples, extension), "path": f"{clip}.{extension}"},
                "text": row["text"],
            }
        )
        truth[clip] = {**row, "duration": len(samples) / rate, "format": extension}
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "text": datasets.Value("string"),
        }
    )
    saved = datasets.Dataset.from_list(rows, features=features)
    saved = saved.cast_column("audio", datasets.Audio(decode=False))
    saved.save_to_disk(str(empty_project.folder / "recordings"))
    empty_project.configure(source={"path": "recordings"})
    return empty_project, truth


def test_real_recordings_from_bytes_to_dataset(recorded):
    project, truth = recorded
    outcome = project.run("dataset")
    assert outcome.jobs["convert_audio"] == len(truth) == 40
    assert project.table("rejected.tsv") == []
    measured = {row["clip"]: row for row in project.table("measurements.tsv")}
    for clip, row in measured.items():
        # A codec's own padding may add up to a frame or two.
        assert abs(float(row["duration"]) - truth[clip]["duration"]) < 0.1, clip
        bound = row["peak_bound"] == "true"
        assert bound or abs(float(row["loudness_after"]) + 23.0) < 0.5, clip
        assert float(row["peak_after"]) <= -0.95, clip
        with soundfile.SoundFile(project.results / f"clips/{clip}.wav") as file:
            assert (file.samplerate, file.channels, file.subtype) == (16_000, 1, "PCM_16")
    found = project.column("speakers/assignments.tsv", "clip", "speaker_id")
    pairs = {(truth[clip]["speaker"], speaker) for clip, speaker in found.items()}
    assert len(pairs) == len(SPEAKERS) == len(set(found.values()))
    loaded = datasets.load_from_disk(str(project.results / "dataset"))
    assert sum(map(len, loaded.values())) == 40
    train, held_out = ({row["text"] for row in loaded[s]} for s in ("train", "validation"))
    assert not train & held_out
    for speaker in set(found.values()):
        assert speaker in loaded["validation"]["speaker_id"]
    assert 4 <= len(loaded["validation"]) <= 8
