"""Keys of earlier versions: refused with what they are now."""

RENAMED = {
    "speakers.same_voice": "speakers.similarity_threshold",
    "dataset.unspoken_characters": "dataset.non_verbalised_symbols",
    "dataset.mixed_voices": "dataset.mixed_speakers",
    "dataset.min_agreement": "dataset.min_intra_clip_similarity",
    "training.epsilon": "training.adam_epsilon",
    "training.gradient_clip": "training.max_grad_norm",
    "training.precision": "training.mixed_precision",
    "training.effective_batch": "training.effective_batch_size",
    "training.accumulation": "training.gradient_accumulation_steps",
    "training.keep": "training.keep_checkpoints",
    "training.export": "export.checkpoint",
}
GONE = {
    "dataset.too_much_text": "a clip whose text has more tokens than it has frames is always left "
    "out: take the key out",
}


def explain_key(key: str) -> str | None:
    """Say what became of a key that earlier versions had; None for one that none had."""
    if key in RENAMED:
        return f"it is now '{RENAMED[key]}'"
    return GONE.get(key)
