"""Train with a speaker who has few clips, with and without a sampler that evens speakers out.

python -m benchmarks.unequal_speakers results/demo --work FOLDER [--speaker spk000 --clips 4]

RESULTS is the output folder of a finished run with several speakers: its dataset, base model, clips
and centroids are read. All speakers keep their held-out sentences, which the voices say at the end.
A training goes on where it was.
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from datasets import DatasetDict, load_from_disk

from benchmarks.basics import print_table
from lib.base_model.export import export_trained
from lib.config.training import TrainingSettings
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.quality import (
    Quality,
    choose_sentences,
    measure_by_speaker,
    read_texts,
    synthesize_sentences,
)
from lib.evaluation.recognition import Recogniser
from lib.synthesis.synthesizer import Synthesizer
from lib.tables import read_vectors
from lib.training.run import train
from lib.training.settings import TrainingPaths


def write_unequal(results: Path, folder: Path, speaker: str, clips: int) -> None:
    """Write the dataset with so many clips of a speaker, those with the first ids."""
    found = load_from_disk(str(results / "dataset"))
    rows = found["train"]
    own = [n for n, name in enumerate(rows["speaker_id"]) if name == speaker]
    ids = rows["id"]
    dropped = set(sorted(own, key=lambda row: ids[row])[clips:])
    found["train"] = rows.select([row for row in range(len(rows)) if row not in dropped])
    DatasetDict(found).save_to_disk(str(folder))


def train_at(
    temperature: float, dataset: Path, base_model: Path, folder: Path, epochs: int, threads: int
) -> Path:
    """Train as the demo does, but for the sampler; return the voice."""
    paths = TrainingPaths.within(folder, dataset, base_model)
    settings = TrainingSettings(
        epochs=epochs,
        learning_rate=5e-4,
        learning_rate_decay=0.92,
        speaker_learning_rate_factor=10.0,
        effective_batch_size=8,
        gradient_accumulation_steps=1,
        segment_frames=16,
        ema_decay=0.99,
        validate_every=epochs,
        samples_every=epochs,
        checkpoint_every=epochs,
        speaker_temperature=temperature,
        max_clip_repeats=100,
    )
    train(settings, paths, torch.cuda.is_available(), threads)
    if not (folder / "model").exists():
        export_trained(paths.summary, "last", base_model, folder / "model", "und")
    return folder / "model"


def measure(results: Path, model: Path, test: IntelligibilityTest | None) -> dict[str, Quality]:
    """Measure a voice on the held-out sentences of every speaker."""
    sentences = choose_sentences(results / "dataset", 10)
    recorded = {s.clip: results / f"clips/{s.clip}.wav" for s in sentences}
    vectors = read_vectors(results / "speakers/centroids.parquet")
    references = {speaker: np.asarray(vector) for speaker, vector in vectors.items()}
    with tempfile.TemporaryDirectory() as scratch:
        speech = synthesize_sentences(Synthesizer(model), sentences, Path(scratch))
        return measure_by_speaker(sentences, speech, recorded, references, test)


def describe(what: str, found: list[Quality]) -> list[str]:
    """Return a row of the table: means over speakers."""
    rows = [asdict(quality) for quality in found]
    tested = sum(row["sentences_tested"] for row in rows)
    shares = [
        f"{sum(row[key] for row in rows)} of {tested}" if tested else ""
        for key in ("sentences_understood", "words_understood")
    ]
    means = [
        np.mean([row[key] for row in rows])
        for key in ("own_similarity", "other_similarity", "distortion")
    ]
    return [what, *shares, f"{means[0]:.3f}", f"{means[1]:.3f}", f"{means[2]:.2f}"]


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="output folder of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--speaker", default="spk000", help="who has few clips (%(default)s)")
    parser.add_argument("--clips", type=int, default=4, help="so many (%(default)s)")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 2.0, 5.0])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--english", action="store_true", help="test what a recogniser understands")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results, base_model = arguments.results, arguments.results / "base_model"
    dataset = arguments.work / "dataset"
    if not dataset.exists():
        write_unequal(results, dataset, arguments.speaker, arguments.clips)
    test = None
    if arguments.english:
        test = IntelligibilityTest(Recogniser(), read_texts(results / "dataset"))
    rows = []
    for temperature in arguments.temperatures:
        folder = arguments.work / f"temperature_{temperature:g}"
        model = train_at(
            temperature, dataset, base_model, folder, arguments.epochs, arguments.threads
        )
        found = measure(results, model, test)
        others = [quality for speaker, quality in found.items() if speaker != arguments.speaker]
        few = f"{arguments.speaker}, {arguments.clips} clips"
        rows.append([f"{temperature:g}", *describe(few, [found[arguments.speaker]])])
        rows.append([f"{temperature:g}", *describe("the others, mean", others)])
    columns = ("sentences", "words", "own similarity", "other similarity", "distortion (dB)")
    print_table(("temperature", "speaker", *columns), rows)


if __name__ == "__main__":
    main()
