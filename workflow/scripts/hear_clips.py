"""Adapter of rule hear_clips."""

from pathlib import Path

from lib.config.speakers import SpeakerSettings
from lib.logs import start_log
from lib.speakers.second_opinion import hear_clips

start_log(snakemake.log[0])
hear_clips(
    [Path(shard) for shard in snakemake.input.shards],
    Path(snakemake.params.clips),
    Path(snakemake.output.opinion),
    SpeakerSettings(**snakemake.params.settings),
    sample_rate=snakemake.params.sample_rate,
    threads=snakemake.threads,
    code=snakemake.params.code,
)
