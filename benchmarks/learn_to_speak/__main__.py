"""Let a small VITS learn to speak from random weights, through the real workflow, on a CPU.

    nohup .venv/bin/python -m benchmarks.learn_to_speak --work /tmp/learn > learn.log 2>&1 &

Both duration predictors learn side by side, one core each; a run that was stopped goes on. At the
end `results.json` and the figures beside this file are written. Needs espeak-ng.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.basics import print_table
from benchmarks.bench import ROOT
from benchmarks.learn_to_speak.corpus import write_base_model, write_corpus
from benchmarks.learn_to_speak.figures import draw_alignments, draw_learning, draw_speech
from benchmarks.learn_to_speak.measure import (
    Aligner,
    Manner,
    measure_speech,
    read_recordings,
    synthesize_sentences,
)
from lib.base_model.export import export_checkpoint
from lib.files import read_json, write_json
from lib.training.checkpoint import load_checkpoint

HERE = Path(__file__).parent
KINDS = ("deterministic", "stochastic")
MANNERS = {"as MMS": Manner(), "calmer": Manner(0.333, 0.3, 0.9)}


def start_training(work: Path, kind: str) -> subprocess.Popen:
    """Start the workflow up to the last checkpoint, on one core."""
    source = {"path": str(work / "corpus/recordings"), "language": "eng"}
    command = [sys.executable, "-m", "snakemake", "train_model", "--cores", "1"]
    command += ["--workflow-profile", "profiles/demo", "--quiet", "rules"]
    command += ["--configfile", str(HERE / "config.yaml"), "--config"]
    command += [f"output={work / kind}", f"source={source | {'columns': {'speaker': 'speaker'}}}"]
    command += [f"base_model={ {'source': str(work / f'base_{kind}'), 'discriminator': 'fresh'} }"]
    return subprocess.Popen(command, cwd=ROOT)


def list_milestones(results: Path) -> dict[int, Path]:
    """Return the checkpoints of whole epochs by their optimizer step."""
    found = sorted((results / "checkpoints").glob("epoch????"))
    return {read_json(path / "state.json")["state"]["step"]: path for path in found}


def measure_milestone(checkpoint: Path, results: Path, recordings: list) -> dict[str, dict]:
    """Measure the speech of a checkpoint, in each manner."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        export_checkpoint(checkpoint, results / "base_model", model, "eng")
        return {
            name: measure_speech(synthesize_sentences(model, manner), recordings).as_dict()
            for name, manner in MANNERS.items()
        }


def measure(work: Path, kind: str) -> dict:
    """Alignment error of every milestone; quality before the discriminator came and at the end."""
    results = work / kind
    aligner = Aligner(results, work / "corpus/recordings/word_starts.json")
    milestones = list_milestones(results)
    start = read_json(milestones[max(milestones)] / "state.json")["signature"]["settings"][
        "discriminator_start_step"
    ]
    alone = max((step for step in milestones if step <= start), default=min(milestones))
    recordings = read_recordings(work / "corpus/held_out")
    return {
        "discriminator_start_step": start,
        "alignment_error": {
            step: round(aligner.error(load_checkpoint(path).ema), 1)
            for step, path in milestones.items()
        },
        "quality": {
            step: measure_milestone(milestones[step], results, recordings)
            for step in sorted({alone, max(milestones)})
        },
    }


def print_results(results: dict) -> None:
    """Print the table that README.md shows."""
    rows = [["espeak-ng itself", "", "", *_cells(results["recordings"], None)]]
    for kind in KINDS:
        errors = results[kind]["alignment_error"]
        for step, manners in results[kind]["quality"].items():
            adversarial = "yes" if int(step) > results[kind]["discriminator_start_step"] else "no"
            for manner, quality in manners.items():
                if kind == "stochastic" or manner == "as MMS":
                    name = f"{kind} durations, {manner}"
                    rows.append([name, step, adversarial, *_cells(quality, errors[step])])
    header = ["system", "steps", "discriminator", "of 20", "minimal pairs", "distortion (dB)"]
    print_table([*header, "length", "alignment error (ms)"], rows)


def _cells(quality: dict, error: float | None) -> list:
    count = quality["sentences"]
    right = [f"{quality[key]} of {count}" for key in ("which_of_20", "minimal_pairs")]
    return [*right, quality["distortion"], quality["length_ratio"], "" if error is None else error]


def main() -> None:
    """Make what is missing, train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for everything big")
    parser.add_argument("--measure-only", action="store_true", help="do not train")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    if not (work / "corpus/held_out/word_starts.json").is_file():
        write_corpus(work / "corpus")
    for kind in KINDS:
        if not (work / f"base_{kind}").is_dir():
            write_base_model(work / f"base_{kind}", stochastic=kind == "stochastic")
    if not arguments.measure_only:
        running = [start_training(work, kind) for kind in KINDS]
        if any([process.wait() for process in running]):
            sys.exit("a training failed; its log is above")
    torch.set_num_threads(1)
    recordings = read_recordings(work / "corpus/held_out")
    results = {"recordings": measure_speech(recordings, recordings).as_dict()}
    results |= {kind: measure(work, kind) for kind in KINDS}
    write_json(HERE / "results.json", results)
    results = read_json(HERE / "results.json")
    print_results(results)
    draw_learning(work, results, HERE / "learning.png")
    draw_alignments(work, KINDS, HERE / "alignment.png")
    draw_speech(work, KINDS, HERE / "speech.png")


if __name__ == "__main__":
    main()
