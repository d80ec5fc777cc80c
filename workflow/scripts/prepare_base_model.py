"""Adapter of rule prepare_base_model."""

from pathlib import Path

from lib.base_model.fit import prepare_base_model
from lib.logs import start_log

start_log(snakemake.log[0])
prepare_base_model(
    source=snakemake.params.base["source"],
    discriminator=snakemake.params.base["discriminator"],
    dataset=Path(snakemake.input.dataset),
    centroids=Path(snakemake.input.centroids),
    text_policy=snakemake.params.text,
    output=Path(snakemake.output[0]),
    same_speakers=snakemake.params.base["speakers"],
    language=snakemake.params.language,
)
