"""Adapter of rule plot_samples."""

from pathlib import Path

from lib.evaluation.spectrograms import plot_samples
from lib.logs import start_log

start_log(snakemake.log[0])
plot_samples(
    samples=Path(snakemake.input.samples),
    manifest=Path(snakemake.input.manifest),
    clips=Path(snakemake.params.clips),
    registry=Path(snakemake.input.registry),
    output=Path(snakemake.output[0]),
)
