"""Adapter of rule speak_table."""

from pathlib import Path

from lib.config.outcome import SpeechSettings
from lib.logs import start_log
from lib.synthesis.table import speak_table

start_log(snakemake.log[0])
speak_table(
    model=Path(snakemake.input.voice),
    table=Path(snakemake.input.texts),
    output=Path(snakemake.params.folder),
    settings=SpeechSettings(**snakemake.params.settings),
    loudness=snakemake.params.loudness,
    peak_ceiling=snakemake.params.peak_ceiling,
    threads=snakemake.threads,
)
