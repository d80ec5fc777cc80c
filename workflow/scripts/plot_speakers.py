"""Adapter of rule plot_speakers."""

from pathlib import Path

from lib.evaluation.figures import plot_speakers
from lib.logs import start_log

start_log(snakemake.log[0])
plot_speakers(
    speaker_map=Path(snakemake.input.speaker_map),
    assignments=Path(snakemake.input.assignments),
    registry=Path(snakemake.input.registry),
    min_confidence=snakemake.params.min_confidence,
    output=Path(snakemake.output[0]),
)
