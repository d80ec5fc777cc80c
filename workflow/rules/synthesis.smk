"""Synthesises sentences with every speaker of the trained model.

REQUIRES  <results>/model, <results>/dataset
PRODUCES  <results>/samples/{speaker}/*.wav, <results>/samples/texts.json
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
        mem_mb=estimate(2000),
        runtime=estimate(30),
    params:
        texts=config["samples"]["texts"],
        num_texts=config["samples"]["count"],
        code=code_digest("lib.synthesis.samples"),
    script:
        "../scripts/synthesize_samples.py"
