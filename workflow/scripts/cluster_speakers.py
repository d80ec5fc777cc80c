"""Adapter of rule cluster_speakers."""

from pathlib import Path

from lib.corpus import load_corpus
from lib.logs import start_log
from lib.speakers.assignment import assign_speakers
from lib.speakers.clustering import SpeakerSettings

start_log(snakemake.log[0])
assign_speakers(
    [Path(shard) for shard in snakemake.input.shards],
    load_corpus(Path(snakemake.params.index)).known_speakers(),
    SpeakerSettings(**snakemake.params.settings),
    Path(snakemake.params.state),
    assignments=Path(snakemake.output.assignments),
    centroids=Path(snakemake.output.centroids),
    registry=Path(snakemake.output.registry),
    speaker_map=Path(snakemake.output.speaker_map),
)
