"""Train the base model of resources/ from random weights: `python -m tools.base_model`.

    nohup .venv/bin/python -m tools.base_model --work /tmp/base > base.log 2>&1 &

Takes about two hours on one core; a run that was stopped goes on where it was. Needs espeak-ng.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import VitsConfig, VitsModel

from lib.base_model.discriminator import save_discriminator
from lib.base_model.export import export_checkpoint
from lib.base_model.tiny import write_tiny_model
from lib.files import read_json, write_json
from lib.training.checkpoint import load_checkpoint
from tools.base_model.corpus import SEED, VOICES, write_corpus
from tools.base_model.shape import small_config

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "resources/base_model"
ROOT = HERE.parents[1]


def write_random_model(directory: Path) -> None:
    """Write a VITS of 3.3 million random weights, with a row for every voice."""

    def shape(vocab_size: int) -> VitsConfig:
        return small_config(vocab_size, stochastic=False, num_speakers=len(VOICES))

    write_tiny_model(directory, SEED, shape)
    # The ids that the workflow gives to the corpus's labels: rows are found by them.
    speakers = [f"spk{row:03d}" for row in range(len(VOICES))]
    table = {speaker: {"index": row, "name": speaker} for row, speaker in enumerate(speakers)}
    write_json(directory / "speakers.json", table)


def train(work: Path) -> None:
    """Run the workflow up to the last checkpoint, on one core.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails; its log says why.
    """
    source = {"path": str(work / "corpus/recordings"), "language": "mul"}
    source["columns"] = {"speaker": "speaker"}
    command = [sys.executable, "-m", "snakemake", "train_model", "--cores", "1"]
    command += ["--workflow-profile", "profiles/demo", "--quiet", "rules"]
    command += ["--configfile", str(HERE / "config.yaml"), "--config"]
    command += [f"output={work / 'run'}", f"source={source}"]
    command += [f"base_model={ {'source': str(work / 'random'), 'discriminator': 'fresh'} }"]
    subprocess.run(command, cwd=ROOT, check=True)


def write_base_model(run: Path, directory: Path) -> None:
    """Write the last checkpoint's weights in half precision, with its discriminator's."""
    checkpoint = max((run / "checkpoints").glob("epoch????"))
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model"
        registry = run / "speakers/registry.json"
        export_checkpoint(checkpoint, run / "base_model", exported, "mul", registry)
        for path in exported.iterdir():
            if path.suffix == ".json" and path.name != "speakers.json":
                (directory / path.name).write_bytes(path.read_bytes())
        # By their names: the ids would be taken for those of a user's speakers.
        speakers = read_json(exported / "speakers.json").values()
        write_json(directory / "speakers.json", {entry["name"]: entry for entry in speakers})
        model = VitsModel.from_pretrained(exported)
        model.to(torch.float16).save_pretrained(directory)
    saved = load_checkpoint(checkpoint)
    weights = {name: value.half() for name, value in saved.discriminator.items()}
    periods = saved.signature["settings"]["discriminator_periods"]
    save_discriminator(weights, periods, directory / "discriminator.safetensors")


def main() -> None:
    """Make what is missing, train, write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for everything big")
    parser.add_argument("--output", type=Path, default=MODEL, help="folder of the model")
    parser.add_argument("--no-training", action="store_true", help="take the last checkpoint")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    if not (work / "corpus/held_out/metadata.csv").is_file():
        write_corpus(work / "corpus")
    if not (work / "random").is_dir():
        write_random_model(work / "random")
    if not arguments.no_training:
        train(work)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_base_model(work / "run", arguments.output)


if __name__ == "__main__":
    main()
