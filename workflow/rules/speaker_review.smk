"""Writes the page on which the user listens to the speakers and corrects them.

The page needs neither the dataset nor the training, so that corrections come before those.

REQUIRES  <results>/speakers/{assignments.tsv, map.tsv, registry.json, excluded.tsv},
          <results>/measurements.tsv, <results>/clips/
PRODUCES  <results>/speakers/review.html
"""


rule write_speaker_review:
    input:
        assignments="<results>/speakers/assignments.tsv",
        speaker_map="<results>/speakers/map.tsv",
        registry="<results>/speakers/registry.json",
        excluded="<results>/speakers/excluded.tsv",
        measurements="<results>/measurements.tsv",
    output:
        report(
            "<results>/speakers/review.html",
            caption="../report/speaker_review.rst",
            category="Speakers",
            labels={"page": "clips to listen to and to correct"},
        ),
    log:
        "<logs>/write_speaker_review.log",
    benchmark:
        "<benchmarks>/write_speaker_review.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1500, per_mb=5),
        runtime=estimate(10, per_mb=0.1),
    params:
        transcripts=CORPUS.digest("text"),
        min_confidence=config["dataset"]["min_confidence"],
        min_intra_clip_similarity=config["dataset"]["min_intra_clip_similarity"],
        source=config["source"],
        overrides=config["speakers"]["overrides"],
        clips=str(RESULTS / "clips"),
        index=str(RESULTS / "source"),
        code=code_digest("lib.review.speaker_review"),
    script:
        "../scripts/write_speaker_review.py"
