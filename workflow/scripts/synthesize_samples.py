"""Adapter of rule synthesize_samples."""

from pathlib import Path

from lib.logs import start_log
from lib.synthesis.samples import speak_samples

start_log(snakemake.log[0])
speak_samples(
    model=Path(snakemake.input.model),
    dataset=Path(snakemake.input.dataset),
    texts=snakemake.params.texts,
    count=snakemake.params.num_texts,
    output=Path(snakemake.output[0]),
)
