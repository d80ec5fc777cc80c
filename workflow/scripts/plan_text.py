"""Adapter of rule plan_text."""

from pathlib import Path

from lib.corpus import load_corpus
from lib.logs import start_log
from lib.text.plan import plan_text

start_log(snakemake.log[0])
corpus = load_corpus(Path(snakemake.params.index))
plan_text(
    {clip.id: clip.text for clip in corpus.clips.values()},
    base=Path(snakemake.input.base),
    policy=snakemake.params.policy,
    language=snakemake.params.language,
    output=Path(snakemake.output[0]),
)
