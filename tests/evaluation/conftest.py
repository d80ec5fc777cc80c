"""A made-up run: all tables and sounds that figures and report are made from."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from lib.audio.measurement import Measurement
from lib.audio.table import collect_measurements
from lib.audio.wav import write_wav
from lib.dataset.build import MANIFEST_COLUMNS, REJECTED_COLUMNS
from lib.files import write_json
from lib.text.audit import HEADER
from tests.evaluation.chromium import Browser

SAMPLE_RATE = 16_000


@dataclass
class Run:
    """What is in a made-up run; `write` makes its files."""

    folder: Path
    clips_per_speaker: dict[str, int] = field(default_factory=lambda: {"spk000": 4, "spk001": 3})
    names: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    rejected: list[tuple[str, ...]] = field(default_factory=list)
    doubts: list[dict] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)
    characters: list[tuple[str, ...]] = field(
        default_factory=lambda: [("a", "A", "9", "5", "known")]
    )
    texts: dict[str, str] = field(default_factory=lambda: {"01": "a sentence", "02": "another"})
    clip_text: str = "what was said"
    source: str = "tiny"
    validation: bool = True
    code: dict = field(
        default_factory=lambda: {
            "now": "b2",
            "trained_by": [{"code": "b2", "from_step": 0}],
            "is_other": False,
        }
    )
    sounds: bool = True

    def clips(self) -> list[tuple[str, str]]:
        """Every clip with its speaker."""
        return [
            (f"clip_{speaker}_{number}", speaker)
            for speaker, count in self.clips_per_speaker.items()
            for number in range(count)
        ]

    def write(self) -> "Run":
        """Write all files."""
        self._write_tables()
        self._write_measurements()
        self._write_json()
        if self.sounds:
            self._write_sounds()
        return self

    def _table(self, name: str, header: tuple[str, ...], rows: list[tuple]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["\t".join(map(str, row)) for row in (header, *rows)]
        path.write_text("\n".join(lines) + "\n", "utf-8")

    def _write_tables(self) -> None:
        manifest, places, assignments = [], [], []
        for number, (clip, speaker) in enumerate(self.clips()):
            split = "validation" if self.validation and clip.endswith("_0") else "train"
            figures = ("1.0000", f"{1 + number % 7 * 0.5:.3f}")
            manifest.append(
                (clip, "accepted", split, speaker, *figures, "", "", self.clip_text, "row 1")
            )
            places.append((clip, speaker, f"{number % 5:.5f}", f"{number % 3:.5f}"))
            sure = "0.0500" if clip.endswith("_1") else "1.0000"
            assignments.append((clip, speaker, sure, ""))
        self._table("manifest.tsv", MANIFEST_COLUMNS, manifest)
        self._table("rejected.tsv", REJECTED_COLUMNS, self.rejected)
        self._table("speakers/map.tsv", ("clip", "speaker_id", "x", "y"), places)
        header = ("clip", "speaker_id", "confidence", "agreement")
        self._table("speakers/assignments.tsv", header, assignments)
        self._table("base_model/vocabulary.tsv", HEADER, self.characters)

    def _write_measurements(self) -> None:
        sidecars = self.folder / "sidecars"
        sidecars.mkdir()
        for number, (clip, _) in enumerate(self.clips()):
            measured = Measurement(
                clip,
                duration=1.0,
                num_samples=16_000,
                loudness_before=-40.0 + number % 30,
                loudness_after=-23.0 if number % 4 else -25.0,
                peak_before=-10.0,
                peak_after=-3.0,
                gain_db=1.0,
                peak_bound=number % 4 == 0,
            )
            (sidecars / f"{clip}.json").write_text(json.dumps(asdict(measured)))
        collect_measurements(sidecars.iterdir(), self.folder / "measurements.tsv")

    def _write_json(self) -> None:
        speakers = list(self.clips_per_speaker)
        names = {speaker: self.names.get(speaker, speaker) for speaker in speakers}
        entries = {
            speaker: {
                "name": names[speaker],
                "label": self.labels.get(speaker),
                "clips": count,
                "centroid": [],
            }
            for speaker, count in self.clips_per_speaker.items()
        }
        registry = {"speakers": entries, "merged": {}, "excluded": [], "doubts": self.doubts}
        write_json(self.folder / "speakers/registry.json", registry)
        base = {
            "source": self.source,
            "origin": "digest",
            "speakers": {speaker: row for row, speaker in enumerate(speakers)},
            "names": names,
            "excluded": self.excluded,
            "discriminator_origin": "fresh",
            "fresh_discriminator": True,
        }
        write_json(self.folder / "base_model/base.json", base)
        training = {
            "epoch": 8,
            "step": 320,
            "skipped_steps": 2,
            "best_epoch": 6 if self.validation else None,
            "best_score": 41.5 if self.validation else None,
            "best_losses": {"mel": 38.18, "kl": 2.0, "duration": 1.32} if self.validation else None,
            "code": self.code,
        }
        write_json(self.folder / "training.json", training)

    def _write_sounds(self) -> None:
        for clip, _ in self.clips():
            write_wav(self.folder / f"clips/{clip}.wav", hum(1.0), SAMPLE_RATE)
        for speaker in self.clips_per_speaker:
            for number in self.texts:
                write_wav(self.folder / f"samples/{speaker}/{number}.wav", hum(0.5), SAMPLE_RATE)
        write_json(self.folder / "samples/texts.json", self.texts)


def hum(seconds: float) -> np.ndarray:
    """A tone of 440 Hz, ``(samples,)`` int16."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (8_000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)


def write_log(folder: Path, points: int = 5, validation: bool = True) -> Path:
    """Log a training as `lib.training.monitor` does."""
    with SummaryWriter(str(folder)) as writer:
        for number in range(points):
            for name in ("mel", "kl", "duration", "feature", "adversarial", "discriminator"):
                writer.add_scalar(f"train/{name}", 100 / (number + 1), number * 10)
            writer.add_scalar("optimizer/learning_rate", 1e-4, number * 10)
            for name in ("generator", "discriminator"):
                value = float("inf") if number == 0 else 10 + number
                writer.add_scalar(f"gradient_norm/{name}", value, number * 10)
            if validation:
                writer.add_scalar("validation/mel", 3.0, number * 10)
                writer.add_scalar(
                    "validation/score", 45 - number if number < 4 else 50, number * 10
                )
    return folder


@pytest.fixture
def run(tmp_path) -> Run:
    """A run of two speakers, not written yet."""
    return Run(tmp_path / "results")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser; the tests that ask for it are skipped where there is none."""
    started = Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()
