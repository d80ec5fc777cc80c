"""A small dataset on disk, a base model fitted to it, and quick settings."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from accelerate.state import AcceleratorState
from datasets import Audio, Dataset, DatasetDict, Features, Value

from lib.files import read_json, write_json
from lib.training.base_model import BaseModel, prepare_base_model
from lib.training.checkpoint import load_checkpoint
from lib.training.run import train
from lib.training.settings import TrainingPaths, TrainingSettings
from tests.vits.conftest import fixed_noise  # noqa: F401 - a fixture

QUICK = TrainingSettings(
    epochs=4,
    learning_rate=1e-3,
    effective_batch=4,
    segment_frames=8,
    discriminator_channels=1,
    discriminator_warmup_steps=1,
    ema_decay=0.5,
    checkpoint_every=1,
    samples_every=100,
    log_every=1,
)
TEXT = {
    "unknown_characters": "extend",
    "mapping": {},
    "new_letters": {},
    "han_to_pinyin": False,
}
FEATURES = Features(
    {
        "id": Value("string"),
        "audio": {"bytes": Value("binary"), "path": Value("string")},
        "text": Value("string"),
        "speaker_id": Value("string"),
        "duration": Value("float64"),
    }
)


def make_row(number: int, text: str, speaker: str, seconds: float) -> dict:
    """One clip of harmonic noise."""
    rng = np.random.default_rng(number)
    time = np.arange(int(seconds * 16_000)) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * (120 + 30 * number) * time) + 0.02 * rng.normal(size=len(time))
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, 16_000, format="WAV", subtype="PCM_16")
    return {
        "id": f"clip{number:02d}",
        "audio": {"bytes": buffer.getvalue(), "path": None},
        "text": text,
        "speaker_id": speaker,
        "duration": seconds,
    }


def write_dataset(path: Path, train: list[dict], validation: list[dict]) -> Path:
    splits = {
        name: Dataset.from_list(rows, features=FEATURES).cast_column("audio", Audio(decode=False))
        if rows
        else Dataset.from_dict({k: [] for k in FEATURES}, features=FEATURES)
        for name, rows in (("train", train), ("validation", validation))
    }
    DatasetDict(splits).save_to_disk(path)
    return path


def write_speakers(folder: Path, speakers: list[str]) -> tuple[Path, Path]:
    """Centroids and registry as rule cluster_speakers writes them."""
    vectors = np.random.default_rng(5).normal(size=(len(speakers), 256)).astype(np.float32)
    table = pa.table({"speaker_id": speakers, "vector": vectors.tolist()})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "centroids.parquet")
    entries = {speaker: {"name": f"name of {speaker}"} for speaker in speakers}
    write_json(folder / "registry.json", {"speakers": entries})
    return folder / "centroids.parquet", folder / "registry.json"


def prepare(folder: Path, dataset: Path, speakers: list[str], source: str = "tiny") -> Path:
    centroids, _ = write_speakers(folder / "speakers", speakers)
    output = folder / "base_model"
    prepare_base_model(source, "auto", dataset, centroids, TEXT, output)
    return output


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    words = ["hello there", "good day", "a longer sentence", "yes", "no", "one two three"]
    rows = [make_row(i, word, f"spk{i % 2:03d}", 0.8 + 0.2 * i) for i, word in enumerate(words)]
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset", rows[:5], rows[5:])


@pytest.fixture(scope="session")
def base(tmp_path_factory, dataset) -> Path:
    return prepare(tmp_path_factory.mktemp("base"), dataset, ["spk000", "spk001"])


@pytest.fixture
def paths(tmp_path, dataset, base) -> TrainingPaths:
    return make_paths(tmp_path, dataset, base)


def make_paths(folder: Path, dataset: Path, base: Path) -> TrainingPaths:
    return TrainingPaths(
        dataset=dataset,
        base_model=base,
        checkpoints=folder / "checkpoints",
        tensorboard=folder / "tensorboard",
        summary=folder / "training.json",
    )


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, dataset, base):
    """Checkpoints of four epochs in one go."""
    paths = make_paths(tmp_path_factory.mktemp("undisturbed"), dataset, base)
    train(QUICK, paths, use_gpu=False, threads=1)
    return paths


@pytest.fixture(autouse=True)
def own_state():
    """A training has a process of its own; here they share one, and accelerate remembers."""
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


def run(paths: TrainingPaths, code: str | None = None, texts=(), **changes) -> dict:
    """Train with some settings changed; return the summary."""
    AcceleratorState._reset_state()
    train(dataclasses.replace(QUICK, **changes), paths, False, 1, texts, code=code)
    return read_json(paths.summary)


def weights(checkpoints: Path, name: str = "epoch0004") -> dict[str, torch.Tensor]:
    saved = load_checkpoint(checkpoints / name)
    parts = {"generator": saved.generator, "ema": saved.ema, "d": saved.discriminator}
    return {f"{part}.{k}": v for part, state in parts.items() for k, v in state.items()}


def assert_equal(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert different == []


SPEAKERS = ["spk000", "spk001"]
WORDS = {
    "clip00": ("hello there", "spk000", 1.0),
    "clip01": ("Déjà vu, ŋ!", "spk001", 1.2),
    "clip02": ("a text that is far too long for so short a clip", "spk000", 0.5),
    "clip03": ("good day", "spk001", 0.9),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A dataset of four clips, one of which cannot be aligned, and its speakers."""
    folder = tmp_path_factory.mktemp("prepared")
    rows = [make_row(i, *words) for i, words in enumerate(WORDS.values())]
    write_dataset(folder / "dataset", rows[:3], rows[3:])
    write_speakers(folder / "speakers", SPEAKERS)
    return folder


def prepare_base(
    folder: Path,
    output: Path,
    source: str = "tiny",
    text: dict | None = None,
    discriminator: str = "auto",
    dataset: Path | None = None,
    **options,
) -> BaseModel:
    prepare_base_model(
        source,
        discriminator,
        dataset or folder / "dataset",
        folder / "speakers/centroids.parquet",
        text or TEXT,
        output,
        **options,
    )
    return BaseModel.open(output)


@pytest.fixture(scope="module")
def prepared(folder) -> BaseModel:
    return prepare_base(folder, folder / "base_model")


@pytest.fixture(scope="session")
def dataset_of_three(tmp_path_factory) -> Path:
    """Three clips in each split, of the speakers and letters of `base`."""
    words = ["hello there", "good day", "a longer sentence", "yes", "no", "one two three"]
    rows = [make_row(i, word, f"spk{i % 2:03d}", 0.8 + 0.2 * i) for i, word in enumerate(words)]
    return write_dataset(tmp_path_factory.mktemp("three") / "dataset", rows[:3], rows[3:])
