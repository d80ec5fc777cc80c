"""Adapter of rule plot_speakers."""

from pathlib import Path

from lib.logs import start_log
from lib.report.corpus_plots import plot_speakers

start_log(snakemake.log[0])
plot_speakers(
    speaker_map=Path(snakemake.input.speaker_map),
    assignments=Path(snakemake.input.assignments),
    registry=Path(snakemake.input.registry),
    min_confidence=snakemake.params.min_confidence,
    output=Path(snakemake.output[0]),
)
