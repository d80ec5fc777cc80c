"""Find base models: the tiny one, local directories, and repositories on the Hub.

`check_base_model` runs at every start of the workflow, before any work. It imports no large library
and asks the Hub only for files that are not in the local cache.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lib.base_model.mms_codes import SUFFIXED
from lib.files import parse_json
from lib.lfs import ADVICE, is_pointer_file
from lib.mms import SAMPLE_RATE

logger = logging.getLogger(__name__)

TINY = "tiny"
SOURCE_FILE = "source.json"
"""File with the record of a fetched base, see `lib.base_model.fetch`."""

MMS_PREFIX = "facebook/mms-tts-"
MMS_ORIGINALS = "facebook/mms-tts"
"""Repository with the original training states, discriminators included."""

# Codes that are often tried, but for which no voice was published.
_NEVER_PUBLISHED = {
    "cmn": ("Mandarin (MMS covers it for recognition only)", ("hak", "nan")),
}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class BaseModelError(ValueError):
    """The configured base model cannot be used."""


@dataclass(frozen=True)
class BaseSource:
    """A base model that was found."""

    name: str
    directory: Path | None
    """Its directory; None for the tiny model, which is made from a seed."""
    original: bool = False
    """Whether the directory has an original checkpoint (``G_*.pth``)."""


def check_base_model(source: str) -> None:
    """Check that a base model can be used, before anything is computed.

    Raises
    ------
    BaseModelError
        If it cannot; the message says what to use instead.
    """
    if source == TINY:
        return
    directory = Path(source).expanduser()
    if directory.is_dir():
        _check_directory(directory)
    elif _HUB_ID.fullmatch(source) and not source.startswith("."):
        _check_hub(source)
    else:
        raise BaseModelError(
            f"base_model.source: '{source}' is neither a directory that exists, nor a Hub id such "
            f"as {MMS_PREFIX}hak, nor '{TINY}'"
        )


def read_base_vocabulary(source: str) -> list[str] | None:
    """Return the characters that a base reads, from a directory or the local cache.

    Returns
    -------
    list or None
        None if they are not known yet, or if the base reads romanised text.
    """
    files = {name: _local_file(source, name) for name in ("vocab.json", "tokenizer_config.json")}
    if files["vocab.json"] is None or _romanises(files["tokenizer_config.json"]):
        return None
    try:
        return list(parse_json(files["vocab.json"].read_text("utf-8")))
    except ValueError as error:
        raise BaseModelError(
            f"base_model.source: {files['vocab.json']} is no vocabulary: {error}"
        ) from None


def check_sample_rate(source: str, sample_rate: int) -> None:
    """Check that the clips have the base's sample rate, and that the base can be trained.

    Parameters
    ----------
    sample_rate
        Sample rate of the converted clips in Hz.

    Raises
    ------
    BaseModelError
        If not; the message has both rates and the key to change.
    """
    config = _local_file(source, "config.json") if source != TINY else None
    of_base = _read_sample_rate(config) if config else SAMPLE_RATE
    if of_base != SAMPLE_RATE:
        raise BaseModelError(
            f"base_model.source: '{source}' speaks at {of_base} Hz, expected {SAMPLE_RATE} Hz as "
            "all MMS-TTS voices do: choose another base"
        )
    if sample_rate != of_base:
        raise BaseModelError(
            f"audio.sample_rate is {sample_rate} Hz, but the base '{source}' speaks at {of_base} "
            f"Hz, and a voice is trained at the rate of its base: set audio.sample_rate: {of_base}"
        )


def _read_sample_rate(config: Path) -> int:
    """Return the rate in a transformers or an original MMS configuration, in Hz."""
    try:
        content = parse_json(config.read_text("utf-8"))
        original = content.get("data", {}).get("sampling_rate")
        return content.get("sampling_rate", original) or SAMPLE_RATE
    except (ValueError, AttributeError) as error:
        raise BaseModelError(
            f"base_model.source: {config} is no model's configuration: {error}"
        ) from None


def _local_file(source: str, name: str) -> Path | None:
    path = Path(source).expanduser() / name
    if path.is_file():
        return path
    if not _HUB_ID.fullmatch(source):
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(source, name)
    return Path(cached) if isinstance(cached, str) else None


def _romanises(config: Path | None) -> bool:
    return config is not None and bool(parse_json(config.read_text("utf-8")).get("is_uroman"))


def spoken_language(language: str, source: str) -> str:
    """Return the configured language, or else that of an MMS voice; "" if neither is known."""
    if language not in ("", "und"):
        return language
    return source.removeprefix(MMS_PREFIX) if source.startswith(MMS_PREFIX) else ""


def is_fetched(directory: Path, source: str) -> bool:
    """Return whether a directory already has this base, so that the Hub is not needed."""
    try:
        return parse_json((directory / SOURCE_FILE).read_text("utf-8"))["source"] == source
    except (OSError, ValueError, KeyError):
        return False


def find_base_model(source: str) -> BaseSource:
    """Locate a base model; download it if it is on the Hub.

    Raises
    ------
    BaseModelError
        As `check_base_model`.
    """
    check_base_model(source)
    if source == TINY:
        return BaseSource(source, None)
    directory = Path(source).expanduser()
    if directory.is_dir():
        return BaseSource(source, directory, original=_generator_file(directory) is not None)
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.txt", *_WEIGHTS, "discriminator.safetensors"]
    try:
        directory = Path(snapshot_download(source, allow_patterns=patterns))
    except Exception as error:  # as in `_check_hub`; what came already is kept and used again
        raise BaseModelError(
            f"base_model.source: '{source}' could not be downloaded: {error}"
        ) from None
    _check_directory(directory)
    return BaseSource(source, directory)


def find_discriminators(base: BaseSource) -> Iterator[tuple[str, Path]]:
    """Yield suitable discriminator weights for a base, the best first: ``(origin, file)``.

    A local directory may have them beside the generator. For an MMS voice on the Hub they are among
    the original checkpoints. If there are none for its language, those of English are taken,
    because a discriminator does not depend on the language. A file is downloaded only when the
    iterator reaches it, because the next one is needed only if a file is not a discriminator.
    """
    if base.directory is None:
        return
    for pattern in ("discriminator.safetensors", "D_*.pth"):
        for path in sorted(base.directory.glob(pattern), key=_steps, reverse=True):
            yield f"own ({path.name})", path
    if not base.name.startswith(MMS_PREFIX):
        return
    code = base.name.removeprefix(MMS_PREFIX)
    # A code may have a script suffix (urd-script_arabic) in both repositories or in one of them.
    for candidate in dict.fromkeys((code, code.split("-")[0], "eng")):
        path = _download_original(f"full_models/{candidate}/D_100000.pth")
        if path is not None:
            yield candidate, path


def _download_original(filename: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        return Path(hf_hub_download(MMS_ORIGINALS, filename))
    except RemoteEntryNotFoundError:
        logger.info("%s has no %s", MMS_ORIGINALS, filename)
    except OSError as error:  # as all faults of the Hub and of the network are
        logger.warning("%s/%s: %s", MMS_ORIGINALS, filename, type(error).__name__)
    return None


def _steps(path: Path) -> int:
    """Return the number of training steps in the name of an original checkpoint."""
    digits = re.sub(r"\D", "", path.stem)
    return int(digits) if digits else 0


def _generator_file(directory: Path) -> Path | None:
    if any((directory / name).is_file() for name in _WEIGHTS):
        return None
    return max(directory.glob("G_*.pth"), key=_steps, default=None)


def generator_file(base: BaseSource) -> Path:
    """Return the original generator state of a base with ``original`` set."""
    return _generator_file(base.directory)


def _check_directory(directory: Path) -> None:
    missing = [] if (directory / "config.json").is_file() else ["config.json"]
    original = _generator_file(directory) is not None
    weights = original or any((directory / name).is_file() for name in _WEIGHTS)
    vocabulary = "vocab.txt" if original else "vocab.json"
    if not (directory / vocabulary).is_file():
        missing.append(vocabulary)
    if not weights:
        missing.append("model.safetensors (or an original G_*.pth)")
    if missing:
        raise BaseModelError(
            f"base_model.source: {directory} lacks {', '.join(missing)}; expected a directory "
            "saved by transformers' VitsModel and VitsTokenizer, or an original MMS checkpoint"
        )
    for path in sorted(directory.iterdir()):
        if is_pointer_file(path):
            raise BaseModelError(f"base_model.source: {path} {ADVICE}")
    if not original:
        config = directory / "config.json"
        try:
            found = parse_json(config.read_text("utf-8")).get("model_type")
        except (ValueError, AttributeError) as error:
            raise BaseModelError(
                f"base_model.source: {config} is no model's configuration: {error}"
            ) from None
        _check_model_type(found, str(directory))


def _check_model_type(found: str | None, name: str) -> None:
    if found != "vits":
        raise BaseModelError(
            f"base_model.source: {name} is a model of type '{found}'; expected 'vits' "
            f"(MMS-TTS voices are: {MMS_PREFIX}<language code>)"
        )


def _check_suffix(source: str) -> None:
    """Check the suffix of an MMS voice whose language has one voice for each script or dialect."""
    if not source.startswith(MMS_PREFIX):
        return
    code, _, suffix = source.removeprefix(MMS_PREFIX).partition("-")
    if code in SUFFIXED and suffix not in SUFFIXED[code]:
        names = ", ".join(f"{MMS_PREFIX}{code}-{known}" for known in SUFFIXED[code])
        raise BaseModelError(
            f"base_model.source: {source} does not exist: of this language MMS-TTS has {names}. "
            "Take the one that your transcripts are written in"
        )


def _check_hub(source: str) -> None:
    code = source.removeprefix(MMS_PREFIX).split("-")[0] if source.startswith(MMS_PREFIX) else ""
    if code in _NEVER_PUBLISHED:
        language, instead = _NEVER_PUBLISHED[code]
        raise BaseModelError(
            f"base_model.source: {source} does not exist: MMS-TTS was never published for "
            f"{language}. Nearest: {', '.join(MMS_PREFIX + c for c in instead)}. Mind the script "
            "they read: see the comment at base_model.source in config/config.yaml"
        )
    _check_suffix(source)
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    if any(isinstance(try_to_load_from_cache(source, name), str) for name in _WEIGHTS):
        return
    try:
        info = HfApi().model_info(source, timeout=10)
    except (RepositoryNotFoundError, GatedRepoError, HFValidationError) as error:
        raise BaseModelError(
            f"base_model.source: there is no public model '{source}' on the Hub "
            f"({type(error).__name__}). MMS-TTS voices are named {MMS_PREFIX}<ISO 639-3 code>; for "
            "a language without one take a related language's"
        ) from None
    except Exception as error:  # whatever the HTTP library of the day raises: nobody answered
        raise BaseModelError(
            f"base_model.source: '{source}' is not in the local cache and the Hub cannot be "
            f"reached ({type(error).__name__}). Connect this machine once, or download the model "
            "elsewhere and set base_model.source to its directory"
        ) from None
    _check_model_type((info.config or {}).get("model_type"), source)
    # `read_base_vocabulary` and `check_sample_rate` need these small files before any work.
    for name in ("config.json", "vocab.json", "tokenizer_config.json"):
        if any(file.rfilename == name for file in info.siblings or ()):
            hf_hub_download(source, name)
