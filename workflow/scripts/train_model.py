"""Adapter of rule train_model."""

from pathlib import Path

from lib.config.training import TrainingSettings
from lib.logs import start_log
from lib.training.run import train
from lib.training.settings import TrainingPaths

start_log(snakemake.log[0])
results = Path(snakemake.params.results)
train(
    TrainingSettings.from_config(snakemake.params.settings),
    TrainingPaths(
        dataset=Path(snakemake.input.dataset),
        base_model=Path(snakemake.input.base_model),
        checkpoints=results / "checkpoints",
        tensorboard=results / "tensorboard",
        summary=Path(snakemake.output.summary),
        weights=Path(snakemake.output.weights),
        curves=Path(snakemake.output.curves),
    ),
    use_gpu=snakemake.resources.gpu > 0,
    processes=snakemake.resources.gpu,
    code=snakemake.params.code,
    threads=snakemake.threads,
    # Not a parameter of the rule: another sentence to listen to is no reason to train again.
    texts=snakemake.config["samples"]["texts"],
)
