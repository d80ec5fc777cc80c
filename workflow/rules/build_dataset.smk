"""Selects clips, splits them and writes the Hugging Face dataset.

REQUIRES  <results>/clips/, <results>/measurements.tsv, <results>/speakers/assignments.tsv, excluded.tsv
PRODUCES  <results>/dataset/, <results>/manifest.tsv, <results>/rejected.tsv
"""


rule build_dataset:
    input:
        wavs=list_all_wavs,
        measurements="<results>/measurements.tsv",
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
        # Which characters are replaced, not by what: that is the base model's concern.
        replaced=sorted(config["text"]["mapping"]),
        numbers={
            "language": config["source"]["language"],
            "by_library": config["text"]["write_numbers"],
            "words": config["text"]["number_words"],
        },
        transcripts=CORPUS.digest("text", "fingerprint"),
        problems=CORPUS.digest_problems(),
        clips=str(RESULTS / "clips"),
        index=str(RESULTS / "source"),
        state=str(RESULTS / "state/split.tsv"),
        code=code_digest("lib.dataset.build"),
    script:
        "../scripts/build_dataset.py"
