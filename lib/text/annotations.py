"""Parts of a transcript that are not spoken: notes in brackets, markup, escapes."""

import re
from html.entities import html5

_PAIRS = {"[": "]", "(": ")", "<": ">", "{": "}", "［": "］", "（": "）", "【": "】", "〈": "〉"}
_PAIRS |= dict(zip("｛＜〔〖〘〚⟨⟦⦅｟﹙﹛﹝❨", "｝＞〕〗〙〛⟩⟧⦆｠﹚﹜﹞❩", strict=True))
_BRACKETED = "|".join(
    f"{re.escape(begin)}[^{re.escape(begin + end)}]*{re.escape(end)}"
    for begin, end in _PAIRS.items()
)
_STARRED = r"(?<!\w)\*[^\s*](?:[^*]*[^\s*])?\*(?!\w)"
_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
_ESCAPE = r"\\(?:[abfnrtv0](?![a-z])|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[nrt])"
_MUSIC = "[♩♪♫♬]+"
# `/pause/`, `_laughs_`, `~noise~`, `=cough=`, `%hesitation%`: words between two marks.
_MARKED = r"(?<!\S)([/_~=%])\w[\w ]*\1(?!\w)"
_ADDRESS = r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_ANNOTATION = re.compile(
    "|".join((_BRACKETED, _ADDRESS, _STARRED, _MARKED, _ENTITY, _ESCAPE, _MUSIC))
)


def find_annotations(text: str) -> list[str]:
    r"""Return the parts of a text that are probably not spoken, in order.

    These are brackets with their content, `*laughs*`, `_laughs_`, web addresses, HTML entities,
    escapes that a program left, as `\n`, and musical notes.
    """
    found = [match[0] for match in _ANNOTATION.finditer(text)]
    return [part for part in found if part[0] != "&" or _is_entity(part)]


def _is_entity(part: str) -> bool:
    return part[1] == "#" or part[1:] in html5
