"""Lets people compare checkpoints by ear: blind pairs, and what the votes say.

The page is a target of its own, part of `all` where the votes choose the voice. Speaking is apart
from counting, so that a vote costs seconds.

REQUIRES  <results>/training.json, weights/, base_model/, dataset/, clips/, and the file that
          export.votes names, where there is one
PRODUCES  <results>/preference/{speech/, standings.json, test.html}
"""


rule speak_preference_test:
    input:
        training="<results>/training.json",
        weights="<results>/weights",
        base_model="<results>/base_model",
        dataset="<results>/dataset",
    output:
        directory("<results>/preference/speech"),
    log:
        "<logs>/speak_preference_test.log",
    benchmark:
        "<benchmarks>/speak_preference_test.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 2
    resources:
        mem_mb=estimate(3000, per_mb=1),
        runtime=estimate(60, per_mb=0.02),
    params:
        loudness=config["audio"]["loudness"],
        code=code_digest("lib.preference.speech"),
    script:
        "../scripts/speak_preference_test.py"


rule rank_checkpoints:
    input:
        training="<results>/training.json",
        weights="<results>/weights",
        votes=list_votes,
    output:
        "<results>/preference/standings.json",
    log:
        "<logs>/rank_checkpoints.log",
    benchmark:
        "<benchmarks>/rank_checkpoints.tsv"
    localrule: True
    conda:
        "../../envs/evaluation.yaml"
    resources:
        mem_mb=estimate(2000),
        runtime=estimate(10),
    params:
        code=code_digest("lib.preference.count"),
    script:
        "../scripts/rank_checkpoints.py"


rule write_preference_test:
    input:
        speech="<results>/preference/speech",
        standings="<results>/preference/standings.json",
        votes=list_votes,
    output:
        report(
            "<results>/preference/test.html",
            caption="../report/preference_test.rst",
            category="Checkpoints",
            labels={"page": "pairs to listen to and to vote on"},
        ),
    log:
        "<logs>/write_preference_test.log",
    benchmark:
        "<benchmarks>/write_preference_test.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=estimate(1500, per_mb=5),
        runtime=estimate(10, per_mb=0.1),
    params:
        votes_file=config["export"]["votes"],
        source=config["source"],
        clips=str(RESULTS / "clips"),
        code=code_digest("lib.review.preference_test"),
    script:
        "../scripts/write_preference_test.py"
