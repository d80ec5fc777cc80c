"""Adapter of rule fit_base_model."""

from pathlib import Path

from lib.base_model.fit import fit_base_model
from lib.logs import start_log

start_log(snakemake.log[0])
fit_base_model(
    base=Path(snakemake.input.base),
    text=Path(snakemake.input.text),
    dataset=Path(snakemake.input.dataset),
    centroids=Path(snakemake.input.centroids),
    output=Path(snakemake.output[0]),
    same_speakers=snakemake.params.same_speakers,
)
