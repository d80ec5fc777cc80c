"""Selects clips, splits them and writes the Hugging Face dataset.

REQUIRES  <results>/clips/, <results>/measurements.tsv, <results>/text,
          <results>/speakers/assignments.tsv, excluded.tsv
PRODUCES  <results>/dataset/, <results>/manifest.tsv, <results>/rejected.tsv
"""


rule build_dataset:
    input:
        wavs=list_all_wavs,
        measurements="<results>/measurements.tsv",
        text="<results>/text",
        assignments="<results>/speakers/assignments.tsv",
        excluded="<results>/speakers/excluded.tsv",
    output:
        dataset=directory("<results>/dataset"),
        manifest="<results>/manifest.tsv",
        rejected="<results>/rejected.tsv",
    log:
        "<logs>/build_dataset.log",
    benchmark:
        "<benchmarks>/build_dataset.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=estimate(2000, per_mb=3),
        runtime=estimate(10, per_mb=0.01),
    params:
        settings=config["dataset"],
        transcripts=CORPUS.digest("text", "content_hash"),
        invalid_rows=CORPUS.digest_invalid_rows(),
        clips=str(RESULTS / "clips"),
        index=str(RESULTS / "source"),
        state=str(RESULTS / "state/split.tsv"),
        transcript_scores=str(RESULTS / "state/transcripts.tsv"),
        code=code_digest("lib.dataset.build"),
    script:
        "../scripts/build_dataset.py"
