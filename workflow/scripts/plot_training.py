"""Adapter of rule plot_training."""

from pathlib import Path

from lib.evaluation.curves import plot_training
from lib.logs import start_log

start_log(snakemake.log[0])
plot_training(
    tensorboard=Path(snakemake.params.tensorboard),
    summary=Path(snakemake.input[0]),
    output=Path(snakemake.output[0]),
)
