"""Adapter of rule plot_corpus."""

from pathlib import Path

from lib.evaluation.figures import plot_corpus
from lib.logs import start_log

start_log(snakemake.log[0])
plot_corpus(
    measurements=Path(snakemake.input.measurements),
    manifest=Path(snakemake.input.manifest),
    rejected=Path(snakemake.input.rejected),
    registry=Path(snakemake.input.registry),
    loudness=snakemake.params.loudness,
    output=Path(snakemake.output[0]),
)
