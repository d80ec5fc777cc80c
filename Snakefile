# From recordings with transcripts to a voice. Below <results>, configuration key `output`, are
#   source/ clips/              what was found in the user's source; {clip}.wav|.json of each clip
#   embeddings/ speakers/       by shard, which follows from a clip's id; who speaks, review.html
#   text/ dataset/              what is trained of a text; DatasetDict; manifest.tsv, rejected.tsv
#   base_model/ training.json   fetched_base/ fitted; what came of it; checkpoints/ weights/ curves/
#   model/ samples/ report/     the voice, sentences by it, plots; quality/ transcripts/ its figures
#   onnx/ export/ speech/       for other programs; texts read out; preference/ blind pairs
#   logs/ benchmarks/ state/    by rule; state/ has decisions that outlive all above: ids, splits
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=config["output"],
    logs=f"{config['output']}/logs",
    benchmarks=f"{config['output']}/benchmarks",


include: "workflow/rules/base_model.smk"
include: "workflow/rules/plan_text.smk"
include: "workflow/rules/convert_audio.smk"
include: "workflow/rules/speakers.smk"
include: "workflow/rules/speaker_review.smk"
include: "workflow/rules/build_dataset.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/synthesis.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/transcripts.smk"
include: "workflow/rules/preference.smk"
include: "workflow/rules/packs.smk"
include: "workflow/rules/report.smk"


# The voice, packs for other programs, texts read out, samples of every speaker and the report.
rule all:
    default_target: True
    input:
        "<results>/export",
        list_speech,
        list_pages,


# Up to the Hugging Face dataset, for use with another trainer.
rule dataset:
    input:
        "<results>/dataset",


# Up to the page on which the user listens to the speakers and corrects them.
rule speaker_review:
    input:
        "<results>/speakers/review.html",
