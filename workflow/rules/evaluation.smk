"""Measures the quality of the voices on the sentences of the validation split.

REQUIRES  <results>/model, <results>/training.json, <results>/weights, <results>/base_model,
          <results>/dataset, <results>/speakers/centroids.parquet, <results>/clips/, <results>/samples
PRODUCES  <results>/quality/{what}.json for the recordings, before and after the training
          <results>/quality/checkpoints.tsv, choice.json: every kept checkpoint, and the best
          <results>/quality/letters.tsv: how well the best speaks each letter
          and, undeclared, <results>/logs/real_time_factor.tsv: how fast each speaks
          <results>/times/ with the places of words and letters, on demand
"""


rule measure_quality:
    input:
        model=lambda wildcards: MEASURED[wildcards.what],
        dataset="<results>/dataset",
        centroids="<results>/speakers/centroids.parquet",
    output:
        "<results>/quality/{what}.json",
    log:
        "<logs>/measure_quality/{what}.log",
    benchmark:
        "<benchmarks>/measure_quality/{what}.tsv"
    wildcard_constraints:
        what="|".join(MEASURED),
    conda:
        "../../envs/evaluation.yaml"
    resources:
        mem_mb=estimate(3000, per_mb=1),
        runtime=estimate(60, per_mb=0.02),
    params:
        evaluation=config["evaluation"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.evaluation.quality"),
    script:
        "../scripts/measure_quality.py"


rule measure_checkpoints:
    input:
        training="<results>/training.json",
        weights="<results>/weights",
        base_model="<results>/base_model",
        dataset="<results>/dataset",
        centroids="<results>/speakers/centroids.parquet",
    output:
        table="<results>/quality/checkpoints.tsv",
        choice="<results>/quality/choice.json",
        letters="<results>/quality/letters.tsv",
    log:
        "<logs>/measure_checkpoints.log",
    benchmark:
        "<benchmarks>/measure_checkpoints.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 2
    resources:
        mem_mb=estimate(4000, per_mb=1),
        runtime=estimate(180, per_mb=0.02),
    params:
        evaluation=config["evaluation"],
        clips=str(RESULTS / "clips"),
        speed=str(RESULTS / "logs/real_time_factor.tsv"),
        code=code_digest("lib.evaluation.checkpoints"),
    script:
        "../scripts/measure_checkpoints.py"


rule locate_words:
    input:
        model="<results>/model",
        dataset="<results>/dataset",
        samples="<results>/samples",
    output:
        directory("<results>/times"),
    log:
        "<logs>/locate_words.log",
    benchmark:
        "<benchmarks>/locate_words.tsv"
    conda:
        "../../envs/evaluation.yaml"
    resources:
        mem_mb=estimate(3000, per_mb=2),
        runtime=estimate(30, per_mb=0.1),
    params:
        code=code_digest("lib.evaluation.time_files"),
    script:
        "../scripts/locate_words.py"
