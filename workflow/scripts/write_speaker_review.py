"""Adapter of rule write_speaker_review."""

from pathlib import Path

from lib.corpus import load_corpus
from lib.logs import start_log
from lib.review.speaker_review import ReviewPaths, write_speaker_review

start_log(snakemake.log[0])
corpus = load_corpus(Path(snakemake.params.index))
write_speaker_review(
    ReviewPaths(
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
    overrides_file=snakemake.params.overrides,
    output=Path(snakemake.output[0]),
)
