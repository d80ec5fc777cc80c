"""Adapter of rule speak_preference_test."""

from pathlib import Path

from lib.logs import start_log
from lib.preference.speech import speak_preference_test

start_log(snakemake.log[0])
speak_preference_test(
    training=Path(snakemake.input.training),
    base_model=Path(snakemake.input.base_model),
    dataset=Path(snakemake.input.dataset),
    loudness=snakemake.params.loudness,
    output=Path(snakemake.output[0]),
    threads=snakemake.threads,
)
