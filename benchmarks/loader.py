"""How much of a training's time goes into loading batches: the demo's clips a hundred times over.

``python -m benchmarks.loader`` after ``make demo``. The demo's tiny model makes the shortest steps
there are; with any real model the share is far smaller.
"""

import argparse
import dataclasses
import time

import torch
from transformers import VitsTokenizer

from benchmarks.basics import print_table
from benchmarks.bench import ROOT
from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.config.training import TrainingSettings
from lib.training.batching import Batches
from lib.training.checkpoint import TrainState
from lib.training.device import start_accelerator
from lib.training.step import TrainStep

TIMES = 100


def main() -> None:
    """Train some steps and print the share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    demo = ROOT / "results/demo"
    if not (demo / "base_model/base.json").is_file():
        raise SystemExit("run make demo first: its dataset and model are measured")
    base = BaseModel.open(demo / "base_model")
    tokenizer = VitsTokenizer.from_pretrained(base.directory)
    clips = load_clips(demo / "dataset/train", tokenizer, base.speakers)
    clips = [
        dataclasses.replace(clip, id=f"{clip.id}-{n}", audio=clip.audio.copy())
        for n in range(TIMES)
        for clip in clips
    ]
    settings = TrainingSettings(mixed_precision="fp32", discriminator_channels=4)
    train_step = TrainStep(settings, base, start_accelerator(settings, use_gpu=False))
    state = TrainState()
    batches = Batches(clips, settings, state)
    batches.probe(lambda batch: True, "cpu")
    start = time.perf_counter()
    batches.current()
    planned = time.perf_counter() - start
    start = time.perf_counter()
    for step in range(arguments.steps):
        state.batch = step
        train_step.accumulate(batches.current(), step)
        train_step.apply(step)
    elapsed = time.perf_counter() - start
    epoch = elapsed / arguments.steps * batches.steps_per_epoch
    rows = [
        ("batches", f"{train_step.data_seconds / elapsed:.2%}"),
        ("arranging an epoch", f"{planned / epoch:.3%}"),
    ]
    print_table(
        (f"{len(clips)} clips, {settings.effective_batch_size} a step", "of the time"), rows
    )


if __name__ == "__main__":
    main()
