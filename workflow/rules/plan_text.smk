"""Settles what is trained of every transcript, by the letters that the base model knows.

REQUIRES  <results>/fetched_base, the transcripts of the source
PRODUCES  <results>/text/ with texts.tsv, vocabulary.tsv, letters.json and the tokenizer
"""


rule plan_text:
    input:
        base="<results>/fetched_base",
    output:
        directory("<results>/text"),
    log:
        "<logs>/plan_text.log",
    benchmark:
        "<benchmarks>/plan_text.tsv"
    localrule: True
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(10),
    params:
        policy=config["text"],
        language=spoken_language(config["source"]["language"], config["base_model"]["source"]),
        transcripts=CORPUS.digest("text"),
        index=str(RESULTS / "source"),
        code=code_digest("lib.text.plan"),
    script:
        "../scripts/plan_text.py"
