"""Checks whether the transcripts are those of the clips, and writes a page to listen to the worst.

REQUIRES  <results>/dataset, <results>/manifest.tsv, <results>/base_model; <results>/training.json
          and <results>/weights for the check after the training
PRODUCES  <results>/transcripts/{before, after}.tsv, .json and .html
          and, undeclared because it outlives what it was made from and the next dataset reads it,
          <results>/state/transcripts.tsv
"""


rule check_transcripts:
    input:
        training=lambda wildcards: JUDGES[wildcards.judge],
        weights=lambda wildcards: WEIGHTS[wildcards.judge],
        base_model="<results>/base_model",
        dataset="<results>/dataset",
        manifest="<results>/manifest.tsv",
    output:
        scores="<results>/transcripts/{judge}.tsv",
        summary="<results>/transcripts/{judge}.json",
    log:
        "<logs>/check_transcripts/{judge}.log",
    benchmark:
        "<benchmarks>/check_transcripts/{judge}.tsv"
    wildcard_constraints:
        judge="|".join(JUDGES),
    conda:
        "../../envs/evaluation.yaml"
    threads: 2
    resources:
        gpu=1,
        mem_mb=estimate(4000, per_mb=2),
        runtime=estimate(60, per_mb=1),
    params:
        record=str(RESULTS / "state/transcripts.tsv"),
        code=code_digest("lib.evaluation.transcript_files"),
    script:
        "../scripts/check_transcripts.py"


rule write_transcript_review:
    input:
        scores="<results>/transcripts/{judge}.tsv",
        summary="<results>/transcripts/{judge}.json",
        manifest="<results>/manifest.tsv",
    output:
        report(
            "<results>/transcripts/{judge}.html",
            caption="../report/transcript_review.rst",
            category="Transcripts",
            labels={"page": "transcripts to listen to, {judge} the training"},
        ),
    log:
        "<logs>/write_transcript_review/{judge}.log",
    benchmark:
        "<benchmarks>/write_transcript_review/{judge}.tsv"
    wildcard_constraints:
        judge="|".join(JUDGES),
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1500, per_mb=5),
        runtime=estimate(10, per_mb=0.1),
    params:
        least=config["dataset"]["min_transcript_score"],
        source=config["source"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.review.transcript_review"),
    script:
        "../scripts/write_transcript_review.py"
