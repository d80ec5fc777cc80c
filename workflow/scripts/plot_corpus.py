"""Adapter of rule plot_corpus."""

from pathlib import Path

from lib.logs import start_log
from lib.report.corpus_plots import plot_corpus

start_log(snakemake.log[0])
plot_corpus(
    measurements=Path(snakemake.input.measurements),
    manifest=Path(snakemake.input.manifest),
    rejected=Path(snakemake.input.rejected),
    registry=Path(snakemake.input.registry),
    loudness=snakemake.params.loudness,
    output=Path(snakemake.output[0]),
)
