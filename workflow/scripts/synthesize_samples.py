"""Adapter of rule synthesize_samples."""

from pathlib import Path

from lib.logs import start_log
from lib.synthesis.samples import synthesize_samples

start_log(snakemake.log[0])
synthesize_samples(
    model=Path(snakemake.input.model),
    dataset=Path(snakemake.input.dataset),
    texts=snakemake.params.texts,
    count=snakemake.params.num_texts,
    output=Path(snakemake.output[0]),
)
