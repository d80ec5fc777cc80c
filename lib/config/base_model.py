"""Section `base_model`: what is fine-tuned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lib.config.keys import STRICT, Text


@dataclass(frozen=True)
class BaseModelSettings:
    """Which model is fine-tuned."""

    __pydantic_config__ = STRICT

    source: Text = "facebook/mms-tts-hak"
    """Hub id, local directory (transformers, or original G_*.pth), or tiny, a small random model.

    facebook/mms-tts-<ISO 639-3 code> exists for some 1,100 languages. Take your language, else a
    related one. `facebook/mms-tts-cmn` was NEVER published: MMS covers Mandarin for recognition
    only. Of the Chinese family there are hak (Hakka, the default) and nan (Min Nan). Both read
    romanised text with tone marks, e.g. "ngài hè"; Han characters give silence.
    The weights are licensed CC BY-NC 4.0: no commercial use.
    """
    discriminator: Literal["auto", "fresh"] = "auto"
    """auto takes the base's own discriminator, else that of English; fresh starts a new one.

    Where none is found a fresh one starts too, with a short warm-up.
    """
    speakers: Mapping[str, str] = field(default_factory=dict)
    """Which of your speakers are which of the base's, by id or name: {spk000: Ada}.

    Where the base is a voice of several speakers, such as a results/model of your own. They go on
    from what it has learnt about them. All others are new to it, whatever their ids, and start as
    the speaker that explains their recordings best.
    """
