"""Licences, in the many ways that people and programs spell them.

A text is taken for a licence only when every word of it is understood. A word too many may
turn its meaning around ("metadata CC0, photos all rights reserved"), so such a text is no
licence here, and its photo is not used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Terms(StrEnum):
    """What a licence asks for."""

    CC0 = "CC0"
    PUBLIC_DOMAIN = "Public domain"
    BY = "CC BY"
    BY_SA = "CC BY-SA"
    BY_ND = "CC BY-ND"
    BY_NC = "CC BY-NC"
    BY_NC_SA = "CC BY-NC-SA"
    BY_NC_ND = "CC BY-NC-ND"


OPEN_TERMS = frozenset({Terms.CC0, Terms.BY})
"""Terms under which a photo may be kept and shown by anybody who names its author."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its terms, and its version where that was stated."""

    terms: Terms
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.terms} {self.version}" if self.version else str(self.terms)


_TERMS_OF_ELEMENTS = {
    frozenset(terms.removeprefix("CC ").lower().split("-")): terms
    for terms in Terms
    if terms.startswith("CC BY")
}
_URL = re.compile(
    r"(?:https?:)?//[^\s<>()\"']+|(?:www\.)?creativecommons\.org/[^\s<>()\"']+", re.IGNORECASE
)
_CC_URL = re.compile(
    r"(?:https?:)?(?://)?(?:www\.)?creativecommons\.org/"
    r"(?:licenses/(?P<elements>by(?:-nc)?(?:-(?:nd|sa))?)|publicdomain/(?P<public>zero|mark))"
    r"(?:/(?P<version>\d\.\d)(?:/[a-z]{2,8})?(?:/(?:deed|legalcode)(?:\.[\w-]+)?)?)?/?",
    re.IGNORECASE,
)
_SPELLINGS = (
    (re.compile(r"(?<=_\d)_(?=\d)"), "."),
    (re.compile(r"\bnon[\s_-]*commercial\b"), " nc "),
    (re.compile(r"\bno[\s_-]*deriv(?:ative)?s?(?:[\s_-]*works)?\b"), " nd "),
    (re.compile(r"\bshare[\s_-]*alike\b"), " sa "),
    (re.compile(r"\battribution\b"), " cc by "),
    (re.compile(r"\bcreative\s+commons\b"), " cc "),
    (re.compile(r"\b(?:cc[\s_-]*zero|cc[\s_-]*0(?!\.)|no\s+rights\s+reserved)\b"), " cc0 "),
    (re.compile(r"\bpublic[\s_-]*domain(?:\s+(?:dedication|mark))?\b"), " pd "),
    (re.compile(r"\bsome\s+rights\s+reserved\b"), " "),
)
_WORD = re.compile(r"[^\s,;:()\[\]/_\-]+")
_VERSION = re.compile(r"v?(\d(?:\.\d)?)(?:\.0)?\.?")
_ELEMENTS = frozenset({"by", "nc", "nd", "sa"})
_PUBLIC = {"cc0": Terms.CC0, "pd": Terms.PUBLIC_DOMAIN}
_NOISE = frozenset(
    {
        *(
            "a",
            "an",
            "are",
            "available",
            "generic",
            "igo",
            "image",
            "international",
            "is",
            "licence",
        ),
        *("license", "licensed", "of", "photo", "terms", "the", "this", "under", "universal"),
        *("unported", "version", "work"),
    }
)


def licence_of(text: str | None) -> Licence | None:
    """Read a licence from a name, a code or an address; None where it is not plainly one.

    ``"CC_BY_4_0"``, ``"cc-by"``, ``"http://creativecommons.org/licenses/by/4.0/legalcode"``
    and ``"Creative Commons Attribution 4.0 International"`` are all CC BY. A text that
    names several, or holds a word that is not understood, is None.
    """
    if not text:
        return None
    plain = unicodedata.normalize("NFKC", text).strip()
    found: list[Licence | None] = [_from_url(url) for url in _URL.findall(plain)]
    words = _URL.sub(" ", plain)
    if any(character.isalnum() for character in words):
        found.append(_from_words(words))
    return _agreed(found)


def terms_named(names: Iterable[str]) -> frozenset[Terms]:
    """Return the terms that ``names`` stand for.

    Raises:
        ValueError: a name is no licence; the message is a sentence that says which.
    """
    terms = set()
    for name in names:
        licence = licence_of(name)
        if licence is None:
            raise ValueError(f"There is no licence {name!r}: choose from {', '.join(Terms)}.")
        terms.add(licence.terms)
    return frozenset(terms)


def _agreed(found: Collection[Licence | None]) -> Licence | None:
    """Return the one licence that all of ``found`` are, the version from wherever it stands."""
    licences = [licence for licence in found if licence is not None]
    if not licences or len(licences) != len(found) or len({one.terms for one in licences}) > 1:
        return None
    versions = {licence.version for licence in licences} - {None}
    if len(versions) > 1:
        return None
    return Licence(licences[0].terms, versions.pop() if versions else None)


def _from_url(url: str) -> Licence | None:
    match = _CC_URL.fullmatch(url.rstrip(".,;"))
    if match is None:
        return None
    if match["elements"]:
        return Licence(
            _TERMS_OF_ELEMENTS[frozenset(match["elements"].lower().split("-"))], match["version"]
        )
    public = Terms.CC0 if match["public"].lower() == "zero" else Terms.PUBLIC_DOMAIN
    return Licence(public, match["version"])


def _from_words(text: str) -> Licence | None:
    text = text.casefold()
    for pattern, plain in _SPELLINGS:
        text = pattern.sub(plain, text)
    words = {word.rstrip(".") for word in _WORD.findall(text)} - _NOISE - {""}
    versions = {match[1] for word in words if (match := _VERSION.fullmatch(word))}
    words = {word for word in words if not _VERSION.fullmatch(word)}
    if len(versions) > 1 or not words <= _ELEMENTS | _PUBLIC.keys() | {"cc"}:
        return None
    terms = _terms(words)
    if terms is None:
        return None
    version = versions.pop() if versions else None
    return Licence(terms, version if version is None or "." in version else f"{version}.0")


def _terms(words: set[str]) -> Terms | None:
    public = words & _PUBLIC.keys()
    elements = words & _ELEMENTS
    if public:
        # "CC0 public domain dedication" is CC0; anything beside that is a contradiction.
        return None if elements else _PUBLIC["cc0" if "cc0" in public else "pd"]
    return _TERMS_OF_ELEMENTS.get(frozenset(elements)) if "cc" in words else None
