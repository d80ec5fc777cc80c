"""Adapter of rule plot_samples."""

from pathlib import Path

from lib.logs import start_log
from lib.report.sample_plots import plot_samples

start_log(snakemake.log[0])
plot_samples(
    samples=Path(snakemake.input.samples),
    manifest=Path(snakemake.input.manifest),
    clips=Path(snakemake.params.clips),
    registry=Path(snakemake.input.registry),
    output=Path(snakemake.output[0]),
)
