"""Train: ``python -m lib.training results/dataset results/base_model --output results``."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lib.commands import add_config, make_parser, run_command
from lib.config.read import read_config
from lib.config.training import TrainingSettings
from lib.provenance import code_digest
from lib.training.run import train
from lib.training.settings import TrainingPaths


def main(line: Sequence[str] | None = None) -> None:
    """Fine-tune a fitted base model on a dataset; a training that was stopped goes on."""
    parser = make_parser("training", main.__doc__)
    parser.add_argument("dataset", type=Path, help="folder of the dataset")
    parser.add_argument("base_model", type=Path, help="folder of the fitted base model")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("results"),
        help="folder of checkpoints/, tensorboard/ and training.json",
    )
    parser.add_argument(
        "--gpus",
        type=int,
        default=torch.cuda.device_count(),
        help="GPUs to train on; 0 is the CPU (default: all that are visible)",
    )
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads (%(default)s)"
    )
    parser.add_argument(
        "--text", default=[], nargs=1, help="sentence of the samples in TensorBoard"
    )
    parser.add_argument(
        "--keep-at", help="folder or rsync target to which checkpoints are copied; see keep_at"
    )
    add_config(parser)
    run_command(parser, _train, line)


def _train(arguments: argparse.Namespace) -> None:
    output = arguments.output
    settings = TrainingSettings.from_config(read_config(arguments.config)["training"])
    train(
        replace(settings, keep_at=arguments.keep_at or settings.keep_at),
        TrainingPaths.within(output, arguments.dataset, arguments.base_model),
        use_gpu=arguments.gpus > 0,
        threads=arguments.threads,
        texts=arguments.text,
        processes=max(1, arguments.gpus),
        code=code_digest("lib.training.run"),
    )


if __name__ == "__main__":
    main()
