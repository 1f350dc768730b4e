"""The languages that a server may choose for the names of species.

Codes are those of ``engine.TaxonTable``: ISO 639, the shortest that there is. A language is found
by its name in the member's language, in English or in itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from babel.core import get_global

from bot.options.named_codes import ENGLISH, NamedCodes, fold, spoken_in

# Those of Discord's own menus, and those in which the taxon table has 25 names or more.
_IN_ITSELF = {
    "af": "Afrikaans",
    "bg": "български",
    "ca": "català",
    "ceb": "Cebuano",
    "cs": "čeština",
    "da": "dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "español",
    "et": "eesti",
    "fi": "suomi",
    "fil": "Filipino",
    "fr": "français",
    "fy": "Frysk",
    "hi": "हिन्दी",
    "hr": "hrvatski",
    "hu": "magyar",
    "id": "Indonesia",
    "it": "italiano",
    "ja": "日本語",
    "ko": "한국어",
    "lt": "lietuvių",
    "mi": "Māori",
    "ms": "Melayu",
    "nl": "Nederlands",
    "no": "norsk",
    "pl": "polski",
    "pt": "português",
    "ro": "română",
    "ru": "русский",
    "sk": "slovenčina",
    "sq": "shqip",
    "sr": "српски",
    "sv": "svenska",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}


def language(code: str) -> str:
    """Reduce a language's code to the shortest there is: ``deu``, ``ger`` and ``de-AT`` are ``de``.

    Norwegian is one here, as it is to Discord, which does not tell Bokmål and Nynorsk apart.
    """
    primary = code.replace("_", "-").split("-")[0].casefold()
    short = str(get_global("language_aliases").get(primary, primary))
    return "no" if short in ("nb", "nn") else short


def _names(locale: str) -> Mapping[str, str]:
    names, english = spoken_in(locale).languages, spoken_in(ENGLISH).languages
    return {code: names.get(code, english[code]) for code in _IN_ITSELF}


def _unasked(locale: str) -> list[str]:
    names, own = _names(locale), language(locale)
    return sorted(names, key=lambda code: (code != own, fold(names[code])))


_ALSO_CALLED = {
    "castellano": "es",
    "Chinese (Simplified)": "zh",
    "Chinese (Traditional)": "zh",
    "Bokmål": "no",
    "nb": "no",
    "Nynorsk": "no",
    "nn": "no",
    "pt-BR": "pt",
    "Tagalog": "fil",
}

LANGUAGES = NamedCodes(
    _names,
    also={name: code for code, name in _IN_ITSELF.items()} | _ALSO_CALLED,
    unasked=_unasked,
)
"""All of them. Where nothing is typed the member's own leads."""
