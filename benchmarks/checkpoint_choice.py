"""Train on clean and on noisy recordings, and compare the composite's choice with the loss's.

python -m benchmarks.checkpoint_choice RESULTS --work FOLDER [--epochs 40]

RESULTS is the output folder of a finished run; its dataset, base model, clips and speakers are
read. Trainings and measurements go on where they were. A training that was done elsewhere is taken
as it is: FOLDER/clean and FOLDER/noisy each have training.json and checkpoints/. Ends with figures
that the composite does not contain, all against the recordings without noise.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch
from datasets import DatasetDict, load_from_disk
from transformers import VitsTokenizer

from benchmarks.basics import print_table
from lib.audio.wav import read_wav
from lib.base_model.clips import load_clips
from lib.base_model.export import export_checkpoint
from lib.base_model.record import BaseModel
from lib.config.training import TrainingSettings
from lib.evaluation.acoustics import mel_cepstral_distortion
from lib.evaluation.checkpoints import KeptCheckpoint, list_checkpoints, measure_checkpoints
from lib.evaluation.comparison import Judge
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.listener import AlignmentListener
from lib.evaluation.quality import choose_sentences, read_texts, synthesize_sentences
from lib.files import read_json
from lib.speakers.campplus import CampPlusEncoder
from lib.synthesis.synthesizer import Synthesizer
from lib.tables import read_table
from lib.training.run import train
from lib.training.settings import TrainingPaths

KINDS = ("clean", "noisy")
NOISE_DB = (5.0, 20.0)
"""Pink noise is so far below the speech, evenly distributed over the clips."""
SENTENCES = 20
_SEED = 5
_FIGURES = ("sentences", "words", "own_similarity", "distortion", "naturalness")
_COLUMNS = (*_FIGURES, "likelihood_train", "likelihood_validation", "composite")


def add_noise(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add pink noise to ``(samples,)`` float audio."""
    spectrum = np.fft.rfft(random.standard_normal(len(samples)))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, len(samples))
    ratio = 10 ** (random.uniform(*NOISE_DB) / 10)
    noise *= np.sqrt((samples**2).mean() / (noise**2).mean() / ratio)
    return np.clip(samples + noise, -1, 1)


def write_noisy(results: Path, folder: Path) -> None:
    """Write the dataset with noise, and its held-out clips as files."""
    random = np.random.default_rng(_SEED)
    (folder / "clips").mkdir(parents=True, exist_ok=True)

    def change(row: dict) -> dict:
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
        buffer = io.BytesIO()
        soundfile.write(buffer, add_noise(samples, random), rate, format="WAV", subtype="PCM_16")
        return {"audio": {**row["audio"], "bytes": buffer.getvalue()}}

    found = load_from_disk(str(results / "dataset"))
    noisy = {split: rows.map(change, load_from_cache_file=False) for split, rows in found.items()}
    for row in noisy["validation"]:
        (folder / f"clips/{row['id']}.wav").write_bytes(row["audio"]["bytes"])
    DatasetDict(noisy).save_to_disk(str(folder / "dataset"))


def train_kind(
    folder: Path, dataset: Path, base_model: Path, epochs: int, every: int, threads: int
) -> None:
    """Train, or go on with it; a training without state of its own was done elsewhere."""
    paths = TrainingPaths.within(folder, dataset, base_model)
    if paths.summary.is_file() and not paths.tensorboard.is_dir():
        sys.stderr.write(f"{folder} was trained elsewhere, and is taken as it is\n")
        return
    settings = TrainingSettings(
        epochs=epochs,
        learning_rate=5e-4,
        learning_rate_decay=0.992,
        effective_batch_size=32,
        discriminator_channels=16,
        validate_every=5,
        samples_every=50,
        checkpoint_every=every,
    )
    train(settings, paths, torch.cuda.is_available(), threads)


class Witness:
    """Figures that the composite does not contain, against the recordings without noise."""

    def __init__(self, results: Path, judge: Judge) -> None:
        self.results, self.base_model = results, results / "base_model"
        self.sentences = choose_sentences(results / "dataset", SENTENCES)[::2]
        self.recorded = {
            s.clip: read_wav(results / f"clips/{s.clip}.wav") / 32768 for s in self.sentences
        }
        self.encoder = CampPlusEncoder("cpu")
        mean = np.mean([self._embed(samples) for samples in self.recorded.values()], axis=0)
        self.reference = mean / np.linalg.norm(mean)
        speakers = BaseModel.open(self.base_model).speakers
        tokenizer = VitsTokenizer.from_pretrained(self.base_model)
        clips = load_clips(results / "dataset/train", tokenizer, speakers)[:30]
        listener = AlignmentListener.fit(judge, self.base_model, speakers, clips)
        self.test = IntelligibilityTest(listener, read_texts(results / "dataset"))

    def _embed(self, samples: np.ndarray) -> np.ndarray:
        vector = self.encoder.embed([samples.astype(np.float32)])[0]
        return vector / np.linalg.norm(vector)

    def measure(self, checkpoint: KeptCheckpoint) -> list[str]:
        """Return similarity, distortion, and shares of sentences and words that are understood."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            export_checkpoint(checkpoint.folder, self.base_model, folder / "model", "und")
            spoken = synthesize_sentences(Synthesizer(folder / "model"), self.sentences, folder)
            sounds = {clip: read_wav(path) / 32768 for clip, path in spoken.items()}
        similarity = np.mean([self._embed(s) @ self.reference for s in sounds.values()])
        distortion = np.median(
            [mel_cepstral_distortion(sounds[s.clip], self.recorded[s.clip]) for s in self.sentences]
        )
        return [
            f"{similarity:.2f}",
            f"{distortion:.1f}",
            f"{self._share(sounds, self.test.recognises_sentence):.0%}",
            f"{self._share(sounds, self.test.recognises_word):.0%}",
        ]

    def _share(self, sounds: dict[str, np.ndarray], recognises) -> float:
        return float(
            np.mean([recognises(sounds[s.clip], s.text, s.speaker) for s in self.sentences])
        )


def print_figures(work: Path) -> None:
    """Print the table of each training, and what the two choices are."""
    rows = []
    for kind in KINDS:
        for row in read_table(work / kind / "table.tsv"):
            rows.append([kind, row["what"], *(_round(row[name]) for name in _COLUMNS)])
    print_table(("data", "what", *_COLUMNS), rows)


def _round(cell: str) -> str:
    return f"{float(cell):.2f}" if cell else ""


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="output folder of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder of the two trainings")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--every", type=int, default=10, help="epochs between checkpoints")
    parser.add_argument("--naturalness", action="store_true", help="needs make setup-quality")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results, work = arguments.results, arguments.work
    if not (work / "noisy/clips").is_dir():
        write_noisy(results, work / "noisy")
    data = {"clean": results / "dataset", "noisy": work / "noisy/dataset"}
    clips = {"clean": results / "clips", "noisy": work / "noisy/clips"}
    for kind in KINDS:
        folder = work / kind
        train_kind(
            *(folder, data[kind], results / "base_model"),
            *(arguments.epochs, arguments.every, arguments.threads),
        )
        if (folder / "table.tsv").exists():
            continue  # measured before
        measure_checkpoints(
            training=folder / "training.json",
            base_model=results / "base_model",
            # Texts and the held-out sentences are those of both.
            dataset=results / "dataset",
            recordings=clips[kind],
            centroids=results / "speakers/centroids.parquet",
            count=SENTENCES,
            naturalness=arguments.naturalness,
            recogniser=None,
            table=folder / "table.tsv",
            choice=folder / "choice.json",
            letters=folder / "letters.tsv",
            speed=folder / "speed.tsv",
            threads=arguments.threads,
        )
    print_figures(work)
    print_witness(results, work)


def print_witness(results: Path, work: Path) -> None:
    """Print what another encoder, and other weights that listen, find of every checkpoint."""
    kept = {kind: list_checkpoints(work / kind / "training.json") for kind in KINDS}
    middle = kept["clean"][len(kept["clean"]) // 2]
    witness = Witness(results, Judge.read(results / "base_model", middle.folder))
    rows = []
    for kind in KINDS:
        choice = read_json(work / kind / "choice.json")["epoch"]
        for checkpoint in kept[kind]:
            mark = ", composite" * (checkpoint.epoch == choice)
            rows.append([kind, f"{checkpoint.epoch}{mark}", *witness.measure(checkpoint)])
    sys.stdout.write(f"\nHeard by the clean training's {middle.name}:\n\n")
    columns = ("similarity (CAM++)", "distortion (dB)", "sentences", "words")
    print_table(("data", "epoch", *columns), rows)


if __name__ == "__main__":
    main()
