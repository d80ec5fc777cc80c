"""Lets the voice speak and shows what the run did.

REQUIRES  <results>/model, <results>/dataset and the tables of the earlier stages
PRODUCES  <results>/samples/{speaker}/*.wav, <results>/report/
"""


rule synthesize_samples:
    input:
        model="<results>/model",
        dataset="<results>/dataset",
    output:
        directory("<results>/samples"),
    log:
        "<logs>/synthesize_samples.log",
    benchmark:
        "<benchmarks>/synthesize_samples.tsv"
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=2000,
    params:
        texts=config["samples"]["texts"],
        num_texts=config["samples"]["count"],
        code=code_digest("lib.evaluation.samples"),
    script:
        "../scripts/synthesize_samples.py"
