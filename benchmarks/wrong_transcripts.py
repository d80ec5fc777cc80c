"""Find wrong transcripts on purpose: exchange, shift and cut texts of a run, train, and judge.

python -m benchmarks.wrong_transcripts RESULTS --work FOLDER [--epochs 12] [--halves]

RESULTS is the output folder of a finished run; its dataset and base model are read. The training
goes on where it was, so that it can be stopped and started; `--epochs 0` asks the base alone.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, DatasetDict, load_from_disk
from sklearn.metrics import roc_auc_score
from transformers import VitsTokenizer

from benchmarks.basics import print_table
from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.config.dataset import DatasetSettings
from lib.config.training import TrainingSettings
from lib.evaluation.checkpoints import list_checkpoints
from lib.evaluation.comparison import Judge
from lib.evaluation.transcripts import check_transcripts
from lib.files import read_json
from lib.training.run import train
from lib.training.settings import TrainingPaths
from lib.vits.clips import TrainingClip

KINDS = ("exchanged", "shifted", "truncated")
RUN = 6
"""Rows in turn that have the text of the row below."""
LEFT = 2 / 3
"""Share of the words that is left of a text that is cut, at its beginning or its end."""
LEAST = DatasetSettings().min_transcript_score


@dataclass(frozen=True)
class Spoiled:
    """Texts by row, and what was done to those that are wrong, by clip."""

    texts: dict[int, str]
    labels: dict[str, str]
    first_half: list[bool]


def spoil(ids: Sequence[str], texts: Sequence[str], share: float, seed: int) -> Spoiled:
    """Give a share of the rows a wrong text, of each kind; rows are in the order of their ids."""
    chance, rows = random.Random(seed), range(len(ids))
    order = sorted(rows, key=lambda row: ids[row])
    wanted = round(len(ids) * share)
    spoiled, labels = dict(enumerate(texts)), {}
    while sum(kind == "shifted" for kind in labels.values()) < wanted:
        start = chance.randrange(len(ids) - RUN - 2)
        run = [order[place] for place in range(start, start + RUN + 1)]
        if not any(row in labels for row in run):
            for row, below in zip(run[:-1], run[1:], strict=True):
                spoiled[row], labels[row] = texts[below], "shifted"
    free = [row for row in rows if row not in labels]
    chance.shuffle(free)
    chosen = free[:wanted]
    for row, other in zip(chosen, [*chosen[1:], *chosen[:1]], strict=True):
        spoiled[row], labels[row] = texts[other], "exchanged"
    for row in free[wanted:]:
        words = texts[row].split()
        if len(words) >= 4:
            left = round(len(words) * LEFT)
            kept = words[:left] if chance.random() < 0.5 else words[len(words) - left :]
            spoiled[row], labels[row] = " ".join(kept), "truncated"
        if sum(kind == "truncated" for kind in labels.values()) >= wanted:
            break
    half = [chance.random() < 0.5 for _ in rows]
    return Spoiled(spoiled, {ids[row]: kind for row, kind in labels.items()}, half)


def write_datasets(results: Path, work: Path, longest: float, share: float, seed: int) -> None:
    """Write the spoiled dataset, whole and in two halves, and what is wrong in labels.json."""
    found = load_from_disk(str(results / "dataset"))
    train_split, held_out = (_shorter(found[split], longest) for split in ("train", "validation"))
    spoiled = spoil(train_split["id"], train_split["text"], share, seed)

    def change(row: dict, number: int) -> dict:
        return {"text": spoiled.texts[number], "transcript": spoiled.texts[number]}

    changed = train_split.map(change, with_indices=True, load_from_cache_file=False)
    halves = {
        side: [row for row, first in enumerate(spoiled.first_half) if first == (side == "a")]
        for side in ("a", "b")
    }
    parts = {"all": changed, **{side: changed.select(rows) for side, rows in halves.items()}}
    for name, part in parts.items():
        folder = work / name / "dataset"
        DatasetDict({"train": part, "validation": held_out}).save_to_disk(str(folder))
    (work / "labels.json").write_text(json.dumps(spoiled.labels))


def _shorter(rows: Dataset, longest: float) -> Dataset:
    kept = [row for row, seconds in enumerate(rows["duration"]) if seconds <= longest]
    return rows.select(kept)


def train_part(folder: Path, base_model: Path, epochs: int, threads: int) -> Path:
    """Train without a discriminator, as sound does not matter here; return the summary."""
    paths = TrainingPaths.within(folder, folder / "dataset", base_model)
    settings = TrainingSettings(
        epochs=epochs,
        learning_rate=5e-4,
        mixed_precision="fp32",
        effective_batch_size=16,
        discriminator_start_step=100_000,
        discriminator_channels=16,
        ema_decay=0.98,
        validate_every=10,
        samples_every=100,
        checkpoint_every=4,
    )
    train(settings, paths, torch.cuda.is_available(), threads)
    return paths.summary


def read_clips(folder: Path, base_model: Path) -> list[TrainingClip]:
    """Read the clips of a part's training split, in the order of their ids."""
    tokenizer = VitsTokenizer.from_pretrained(base_model)
    clips = load_clips(folder / "dataset/train", tokenizer, BaseModel.open(base_model).speakers)
    return sorted(clips, key=lambda clip: clip.id)


def describe(
    what: str, knowledge: float | None, scores: Mapping[str, float], labels: Mapping[str, str]
) -> list[str]:
    """Return a row of the table: knowledge, AUC of each kind, and shares below the threshold."""
    row = [what, "" if knowledge is None else f"{knowledge:.0%}"]
    if not scores:
        return [*row, *["not asked"] * 3, *[""] * 4]
    right = [score for clip, score in scores.items() if clip not in labels]
    wrong = {
        kind: [scores[clip] for clip, found in labels.items() if found == kind and clip in scores]
        for kind in KINDS
    }
    for found in wrong.values():
        truth = [0] * len(right) + [1] * len(found)
        row.append(f"{roc_auc_score(truth, [-score for score in (*right, *found)]):.2f}")
    row.append(f"{np.mean(np.array(right) < LEAST):.1%}")
    return [*row, *(f"{np.mean(np.array(found) < LEAST):.0%}" for found in wrong.values())]


def judge_parts(
    what: str, parts: Sequence[tuple[Judge, Sequence[TrainingClip]]], labels: Mapping[str, str]
) -> list[str]:
    """Let each judge score its own clips; return a row of the table of all."""
    checks = [check_transcripts(judge, clips) for judge, clips in parts]
    scores = {row.clip: row.score for check in checks for row in check.scores}
    known = [check.knowledge for check in checks if check.knowledge is not None]
    shifts = sum(shift.rows for check in checks for shift in check.shifts)
    sys.stderr.write(f"{what}: {len(scores)} scored, {shifts} rows named as slipped\n")
    return describe(what, float(np.mean(known)) if known else None, scores, labels)


def main() -> None:
    """Spoil, train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="output folder of a finished run")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for datasets and trainings"
    )
    parser.add_argument("--longest", type=float, default=9.0, help="seconds of a clip")
    parser.add_argument("--share", type=float, default=0.05, help="of the clips, for each kind")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12, help="0 asks the base alone")
    parser.add_argument("--halves", action="store_true", help="train two halves apart too")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work, base_model = arguments.work, arguments.results / "base_model"
    if not (work / "labels.json").exists():
        write_datasets(arguments.results, work, arguments.longest, arguments.share, arguments.seed)
    labels = read_json(work / "labels.json")
    clips = read_clips(work / "all", base_model)
    seconds = sum(len(clip.audio) for clip in clips) / 16_000
    sys.stdout.write(
        f"{len(clips)} clips, {seconds / 60:.0f} minutes; "
        f"{', '.join(f'{n} {kind}' for kind, n in sorted(Counter(labels.values()).items()))}\n\n"
    )
    rows = [judge_parts("the base", [(Judge.read(base_model), clips)], labels)]
    if arguments.epochs:
        summary = train_part(work / "all", base_model, arguments.epochs, arguments.threads)
        for kept in list_checkpoints(summary):
            judge = Judge.read(base_model, kept.folder)
            rows.append(judge_parts(kept.name, [(judge, clips)], labels))
        if arguments.halves:
            rows += _judge_halves(work, base_model, arguments.epochs, arguments.threads, labels)
    shares = [f"score < {LEAST}: right ones", *KINDS]
    print_table(
        ("judged by", "own text the likeliest of nine", *(f"{k}, AUC" for k in KINDS), *shares),
        rows,
    )


def _judge_halves(
    work: Path, base_model: Path, epochs: int, threads: int, labels: Mapping[str, str]
) -> list[list[str]]:
    """Judge each half by weights that were trained on the other one."""
    kept, clips = {}, {}
    for side in ("a", "b"):
        summary = train_part(work / side, base_model, epochs, threads)
        kept[side] = {found.name: found.folder for found in list_checkpoints(summary)}
        clips[side] = read_clips(work / side, base_model)
    rows = []
    for name in kept["a"].keys() & kept["b"].keys():
        parts = [
            (Judge.read(base_model, kept[other][name]), clips[side])
            for side, other in (("a", "b"), ("b", "a"))
        ]
        rows.append((int(name.split()[1]), judge_parts(f"the other half, {name}", parts, labels)))
    return [row for _, row in sorted(rows)]


if __name__ == "__main__":
    main()
