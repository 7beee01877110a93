"""On what terms pictures may be used, by the name of their licence.

A name is read as data sets write it: an SPDX id, a Creative Commons code, a sentence. One that is
not known here is unknown, and is said as unknown.
"""

import re
from collections.abc import Mapping

from mm_model.terms.weights import Use, UseTerms

_FREE = (
    r"apache[- ]?(license,? )?(version )?2(\.0)?( license)?|(the )?mit( license)?"
    r"|bsd([- ][23][- ]clause)?( license)?|cc0([- ]1\.0)?( universal)?"
    r"|cc[- ]by([- ]sa)?([- ][1-4]\.[05]([- ](?!n[cd])[a-z]{2})?)?|pdm(-1\.0)?"
    r"|public[- ]domain( mark)?|(the )?unlicense"
    r"|creativecommons\.org/(licenses/by(-sa)?|publicdomain/(zero|mark))/\S*"
    r"|(pexels|mixkit|unsplash)( free)?( license| licence)?"
)
_KNOWN_FREE = re.compile(f"(https?://)?(www\\.)?({_FREE})", re.I)
_NOT_FOR_TRADE = re.compile(r"non[- ]?commercial|research|\bnc\b|academic|/by-nc", re.I)
_NAMED = 3


def of_licence(name: str | None) -> Use:
    """What a licence allows, by its name; None is unknown."""
    if name is None:
        return Use.UNKNOWN
    plain = " ".join(name.replace("_", "-").split()).rstrip("/")
    if _NOT_FOR_TRADE.search(plain):
        return Use.RESEARCH
    return Use.COMMERCIAL if _KNOWN_FREE.fullmatch(plain) else Use.UNKNOWN


def of_licences(files: Mapping[str | None, int], drawn: int = 0) -> UseTerms:
    """The terms of a dataset from the number of its files under each licence.

    `drawn` files are drawn by this project, whatever stands beside them, and not among `files`.
    """
    found: dict[Use, dict[str, int]] = {}
    for name, number in files.items():
        found.setdefault(of_licence(name), {})[name or "no licence recorded"] = number
    if drawn:
        found.setdefault(Use.COMMERCIAL, {})["drawn here"] = drawn
    use = next((use for use in Use if use in found), None)
    if use is None:
        return UseTerms(Use.UNKNOWN, "there is no file")
    names = sorted(found[use].items(), key=lambda entry: (-entry[1], entry[0]))
    said = ", ".join(f"{name} ({number} files)" for name, number in names[:_NAMED])
    more = len(names) - _NAMED
    return UseTerms(use, said + (f" and {more} more" if more > 0 else ""))
