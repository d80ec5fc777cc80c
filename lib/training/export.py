"""Writes a trained voice as a directory that plain transformers loads."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from transformers import VitsModel, VitsTokenizer

from lib.files import atomic_directory, write_json
from lib.training.base_model import BaseModel
from lib.vits.model import fuse_weight_norm, prepare_for_training

_CARD = """---
library_name: transformers
pipeline_tag: text-to-speech
{licence}tags:
- vits
- text-to-speech
---

# A voice fine-tuned from {source}

Epoch {epoch}; discriminator at the start: {discriminator}. Speakers: {speakers}.

```python
import json, torch
from transformers import VitsModel, VitsTokenizer

model = VitsModel.from_pretrained("PATH")
tokenizer = VitsTokenizer.from_pretrained("PATH")
speakers = json.load(open("PATH/speakers.json"))
speaker = speakers["{first}"]["index"]  # a model with one speaker ignores it
with torch.no_grad():
    waveform = model(**tokenizer("TEXT", return_tensors="pt"), speaker_id=speaker).waveform[0]
```

{terms}
"""
_MMS_TERMS = (
    "The weights derive from Meta's MMS-TTS, which are licensed CC BY-NC 4.0: no commercial use."
)
_OTHER_TERMS = "The terms of the base model's weights apply to this model too."


def export_model(
    base: BaseModel, weights: Mapping[str, Tensor], directory: Path, epoch: int
) -> None:
    """Write model, tokenizer, speaker map and model card.

    Parameters
    ----------
    weights
        All parameters, named as in the training layout (decoder under weight norm).
    epoch
        After how many epochs the weights were taken, for the card.
    """
    model = prepare_for_training(VitsModel.from_pretrained(base.directory))
    model.load_state_dict(dict(weights))
    with atomic_directory(directory) as temporary:
        fuse_weight_norm(model).save_pretrained(temporary)
        VitsTokenizer.from_pretrained(base.directory).save_pretrained(temporary)
        write_json(temporary / "speakers.json", base.speaker_map())
        mms = "mms-tts" in base.source
        card = _CARD.format(
            source=base.source,
            epoch=epoch,
            discriminator=base.discriminator_origin,
            speakers=", ".join(f"{s} ({base.names.get(s, s)})" for s in base.speakers),
            first=next(iter(base.speakers)),
            licence="license: cc-by-nc-4.0\n" if mms else "",
            terms=_MMS_TERMS if mms else _OTHER_TERMS,
        )
        (temporary / "README.md").write_text(card, "utf-8")
