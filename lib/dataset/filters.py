"""Quality filters of the dataset.

A filter gets all clips that passed the filters before it. It yields rejections, each with a reason
and a measured value. By the configuration (`dataset`) such a clip is left out or only flagged.
"""

import math
from collections.abc import Callable, Collection, Iterator
from statistics import median

from lib.audio.audio_fingerprint import read_fingerprint
from lib.config.dataset import DatasetSettings
from lib.dataset.candidate import Candidate, Rejection
from lib.dataset.near_duplicates import Match, find_near_duplicates, find_originals
from lib.text.characters import name_character
from lib.text.normalise import text_key

Candidates = Collection[Candidate]

# With fewer clips of a speaker the usual rate is that of all clips.
ENOUGH_RATES = 20

# Seconds of silence in a clip that lower its rate without being a fault.
HARMLESS_SILENCE = 2.0

# Median absolute deviations, scaled to standard deviations of a normal distribution, from which a
# rate is implausible.
TOO_MANY_DEVIATIONS = 5.0
DEVIATION_SCALE = 1.4826


def find_implausible_rates(
    candidates: Candidates, settings: DatasetSettings
) -> Iterator[Rejection]:
    """Find clips whose speech rate is far higher or lower than usual for their speaker."""
    rates: dict[str, list[float]] = {}
    for candidate in candidates:
        rates.setdefault(candidate.speaker_id, []).append(candidate.rate)
    everyone = [rate for values in rates.values() for rate in values]
    if len(everyone) < ENOUGH_RATES:
        return
    usual = {
        speaker: _usual_rate(values if len(values) >= ENOUGH_RATES else everyone, settings)
        for speaker, values in rates.items()
    }
    for candidate in candidates:
        middle, factor = usual[candidate.speaker_id]
        silent = candidate.duration - candidate.characters * factor / middle
        if candidate.rate > middle * factor or silent > HARMLESS_SILENCE:
            yield candidate.reject(
                "speech_rate",
                round(candidate.rate, 2),
                f"{candidate.rate:.1f} characters a second where {middle:.1f} are usual, and "
                f"{factor:.1f} times more or fewer implausible: does the transcript belong to "
                "this recording?",
            )


def _usual_rate(rates: list[float], settings: DatasetSettings) -> tuple[float, float]:
    """Return the median rate, and the factor by which a clip may differ from it."""
    middle = median(rates)
    deviation = median(abs(math.log(rate / middle)) for rate in rates) * DEVIATION_SCALE
    return middle, max(settings.speech_rate_factor, math.exp(TOO_MANY_DEVIATIONS * deviation))


def find_non_verbalised_symbols(
    candidates: Candidates, settings: DatasetSettings
) -> Iterator[Rejection]:
    """Find transcripts with digits and symbols for which no reading is given."""
    for candidate in candidates:
        if candidate.non_verbalised:
            shown = " ".join(map(name_character, sorted(set(candidate.non_verbalised))))
            yield candidate.reject(
                "non_verbalised_symbols",
                len(candidate.non_verbalised),
                f"the text has {shown}, which can be read in many ways: write it out in the "
                "transcript, or say how it is read in text.mapping or text.number_words",
            )


def find_annotated(candidates: Candidates, settings: DatasetSettings) -> Iterator[Rejection]:
    """Find transcripts with notes, markup or escapes, which would be learnt as words."""
    for candidate in candidates:
        if candidate.annotations:
            shown = ", ".join(dict.fromkeys(candidate.annotations))
            yield candidate.reject(
                "annotations",
                len(candidate.annotations),
                f"the text has {shown}, which is probably not spoken: take it out of the "
                "transcript, or leave the clip out",
            )


def find_clipped(candidates: Candidates, settings: DatasetSettings) -> Iterator[Rejection]:
    """Find clipped recordings."""
    for candidate in candidates:
        source = candidate.measured.source
        share = source.clipped_share if source else 0.0
        if share > settings.max_clipped_share:
            yield candidate.reject(
                "clipped",
                share,
                f"{share:.2%} of the recording's samples are in tops cut off, more than "
                f"dataset.max_clipped_share ({settings.max_clipped_share:.2%})",
            )


def find_noisy(candidates: Candidates, settings: DatasetSettings) -> Iterator[Rejection]:
    """Find recordings with a low signal-to-noise ratio."""
    for candidate in candidates:
        snr = candidate.measured.snr
        if snr is not None and snr < settings.min_snr:
            yield candidate.reject(
                "noisy",
                snr,
                f"speech is {snr:.1f} dB above the noise, less than dataset.min_snr "
                f"({settings.min_snr:g} dB)",
            )


def find_mixed_speakers(candidates: Candidates, settings: DatasetSettings) -> Iterator[Rejection]:
    """Find clips that begin with one speaker and end with another."""
    least = settings.min_intra_clip_similarity
    for candidate in candidates:
        similarity = candidate.speaker.intra_clip_similarity
        if similarity is not None and similarity < least:
            yield candidate.reject(
                "mixed_speakers",
                similarity,
                f"its beginning and end sound like two people: a similarity of {similarity:.2f} is "
                f"less than dataset.min_intra_clip_similarity ({least:g})",
            )


def find_uncertain_speakers(
    candidates: Candidates, settings: DatasetSettings
) -> Iterator[Rejection]:
    """Find clips that may be of another speaker."""
    for candidate in candidates:
        if candidate.speaker.confidence < settings.min_confidence:
            yield candidate.reject(
                "uncertain_speaker",
                candidate.speaker.confidence,
                f"may not be {candidate.speaker_id}: another speaker is as near",
            )


def find_wrong_transcripts(
    candidates: Candidates, settings: DatasetSettings
) -> Iterator[Rejection]:
    """Find clips whose text an earlier run has found to explain them no better than others do."""
    for candidate in candidates:
        score = candidate.transcript_score
        if score is not None and score < settings.min_transcript_score:
            yield candidate.reject(
                "wrong_transcript",
                score,
                f"its text explains the recording hardly better than texts of other clips: a score "
                f"of {score:.2f} is less than dataset.min_transcript_score "
                f"({settings.min_transcript_score:g})",
            )


def find_duplicate_audio(candidates: Candidates, settings: DatasetSettings) -> Iterator[Rejection]:
    """Find copies of recordings, also in another encoding."""
    ordered = _by_precedence(candidates)
    first: dict[str, str] = {}
    matches = [Match(first.setdefault(c.content_hash, c.clip), c.clip, 0.0) for c in ordered]
    prints = {c.clip: c.measured.audio_fingerprint for c in ordered if c.measured.audio_fingerprint}
    matches += find_near_duplicates({clip: read_fingerprint(text) for clip, text in prints.items()})
    originals = find_originals([c.clip for c in ordered], matches)
    wrong_bits: dict[str, float] = {}
    for match in matches:
        if match.one != match.other:
            for clip in (match.one, match.other):
                wrong_bits[clip] = min(match.wrong_bits, wrong_bits.get(clip, 1.0))
    for candidate in ordered:
        if candidate.clip in originals:
            bits = wrong_bits[candidate.clip]
            how = (
                f"encoded otherwise: {bits:.1%} of the audio fingerprint differ"
                if bits
                else "again"
            )
            yield candidate.reject(
                "duplicate_audio",
                round(bits, 4),
                f"the same recording as {originals[candidate.clip]}, {how}",
            )


def find_duplicate_text(candidates: Candidates, settings: DatasetSettings) -> Iterator[Rejection]:
    """Find texts that a speaker repeats more often than allowed."""
    takes: dict[tuple[str, str], int] = {}
    for candidate in _by_precedence(candidates):
        key = candidate.speaker_id, text_key(candidate.transcript)
        takes[key] = takes.get(key, 0) + 1
        if takes[key] > settings.max_text_repeats:
            yield candidate.reject(
                "duplicate_text",
                takes[key],
                f"take {takes[key]} of this text by {candidate.speaker_id}, more than "
                f"dataset.max_text_repeats ({settings.max_text_repeats})",
            )


def _by_precedence(candidates: Candidates) -> list[Candidate]:
    """Return the candidates in order of ids, beginning with those of an earlier dataset."""
    return sorted(candidates, key=lambda c: (not c.previously_accepted, c.clip))


# They are applied in this order. Copies of recordings are rejected before repeated texts, because a
# copy is not another take of its text.
FILTERS: dict[str, Callable[[Candidates, DatasetSettings], Iterator[Rejection]]] = {
    "speech_rate": find_implausible_rates,
    "non_verbalised_symbols": find_non_verbalised_symbols,
    "annotations": find_annotated,
    "clipped": find_clipped,
    "noisy": find_noisy,
    "mixed_speakers": find_mixed_speakers,
    "uncertain_speaker": find_uncertain_speakers,
    "wrong_transcript": find_wrong_transcripts,
    "duplicate_audio": find_duplicate_audio,
    "duplicate_text": find_duplicate_text,
}
