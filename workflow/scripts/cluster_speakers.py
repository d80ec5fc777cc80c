"""Adapter of rule cluster_speakers."""

from pathlib import Path

from lib.config.speakers import SpeakerSettings
from lib.corpus import find_sessions, load_corpus
from lib.logs import start_log
from lib.speakers.assignment import Sessions, SpeakerPaths, assign_speakers
from lib.speakers.overrides import Overrides

start_log(snakemake.log[0])
corpus = load_corpus(Path(snakemake.params.index))
assign_speakers(
    [Path(shard) for shard in snakemake.input.shards],
    {clip.id: clip.speaker for clip in corpus.clips.values()},
    SpeakerSettings(**snakemake.params.settings),
    Overrides(**snakemake.params.overrides),
    Path(snakemake.params.state),
    SpeakerPaths(
        assignments=Path(snakemake.output.assignments),
        centroids=Path(snakemake.output.centroids),
        speakers=Path(snakemake.output.speakers),
        speaker_map=Path(snakemake.output.speaker_map),
        excluded=Path(snakemake.output.excluded),
    ),
    opinion=next(map(Path, snakemake.input.opinion), None),
    sessions=Sessions(*find_sessions(corpus.clips)),
)
