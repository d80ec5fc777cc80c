"""Adapter of rule plot_training."""

from pathlib import Path

from lib.logs import start_log
from lib.report.training_plots import plot_training

start_log(snakemake.log[0])
plot_training(
    tensorboard=Path(snakemake.input.curves),
    summary=Path(snakemake.input.training),
    output=Path(snakemake.output[0]),
    checkpoints=next(map(Path, snakemake.input.checkpoints), None),
)
