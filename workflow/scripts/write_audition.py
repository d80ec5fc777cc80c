"""Adapter of rule write_audition."""

from pathlib import Path

from lib.corpus import load_corpus
from lib.logs import start_log
from lib.review.speaker_review import AuditionPaths, write_audition

start_log(snakemake.log[0])
corpus = load_corpus(Path(snakemake.params.index))
write_audition(
    AuditionPaths(
        assignments=Path(snakemake.input.assignments),
        speaker_map=Path(snakemake.input.speaker_map),
        registry=Path(snakemake.input.registry),
        excluded=Path(snakemake.input.excluded),
        measurements=Path(snakemake.input.measurements),
        clips=Path(snakemake.params.clips),
    ),
    {clip.id: clip.text for clip in corpus.clips.values()},
    snakemake.params.min_confidence,
    snakemake.params.min_intra_clip_similarity,
    title=snakemake.params.source["path"],
    language=snakemake.params.source["language"],
    file=snakemake.params.file,
    output=Path(snakemake.output[0]),
)
