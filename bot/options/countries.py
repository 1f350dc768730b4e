"""The countries and continents of the world as people type them.

In their own language, in English, or in the country's.

The codes of countries are ISO 3166-1 alpha-2 and ``XK`` for Kosovo: the 250 that GBIF's own list
of countries has. Those of continents are GBIF's too; they are longer, so that one code says which
of the two it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from babel.core import get_global

from bot.options.endonyms import ENDONYMS
from bot.options.named_codes import NamedCodes, fold, spoken_in

# What CLDR has of two letters and ISO 3166-1 has not: unions, outposts, placeholders.
_NO_COUNTRIES = frozenset(
    ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"]
)

# GBIF's continents by the UN M49 codes that CLDR names them under. North America reaches down to
# Panama in both. Antarctica is among the countries already, as AQ.
_CONTINENTS = {
    "002": "AFRICA",
    "003": "NORTH_AMERICA",
    "005": "SOUTH_AMERICA",
    "009": "OCEANIA",
    "142": "ASIA",
    "150": "EUROPE",
}

# Common names of which CLDR's are no near spelling, in English and in languages of many members,
# and what people say they are in who are in a part of a country, mostly one that lies apart.
_ALSO_CALLED = {
    "abd": "US",
    "alaska": "US",
    "america": "US",
    "amerika": "US",
    "américa del norte": "NORTH_AMERICA",
    "américa del sur": "SOUTH_AMERICA",
    "angleterre": "GB",
    "anglia": "GB",
    "azores": "PT",
    "baleares": "ES",
    "balearic islands": "ES",
    "bali": "ID",
    "britain": "GB",
    "burma": "MM",
    "california": "US",
    "canaries": "ES",
    "canarische eilanden": "ES",
    "canary islands": "ES",
    "caribbean": "NORTH_AMERICA",
    "central america": "NORTH_AMERICA",
    "cerdeña": "IT",
    "ceylon": "LK",
    "corse": "FR",
    "corsica": "FR",
    "costa de marfil": "CI",
    "crete": "GR",
    "czech republic": "CZ",
    "córcega": "FR",
    "dr congo": "CD",
    "drc": "CD",
    "east timor": "TL",
    "ee. uu.": "US",
    "eeuu": "US",
    "elfenbeinküste": "CI",
    "engeland": "GB",
    "england": "GB",
    "escocia": "GB",
    "eua": "US",
    "faroes": "FO",
    "florida": "US",
    "galapagos": "EC",
    "galapagos islands": "EC",
    "gales": "GB",
    "galles": "GB",
    "gran bretaña": "GB",
    "grande-bretagne": "GB",
    "great britain": "GB",
    "groot-brittannië": "GB",
    "großbritannien": "GB",
    "grã-bretanha": "GB",
    "hawaii": "US",
    "holland": "NL",
    "inghilterra": "GB",
    "ingiltere": "GB",
    "inglaterra": "GB",
    "islas canarias": "ES",
    "ivory coast": "CI",
    "java": "ID",
    "kalifornien": "US",
    "kanaren": "ES",
    "kanarieöarna": "ES",
    "kapverden": "CV",
    "korsika": "FR",
    "kreta": "GR",
    "macau": "MO",
    "madeira": "PT",
    "mallorca": "ES",
    "mazedonien": "MK",
    "nordirland": "GB",
    "northern ireland": "GB",
    "olanda": "NL",
    "osttimor": "TL",
    "palestine": "PS",
    "pays de galles": "GB",
    "persia": "IR",
    "sardaigne": "IT",
    "sardegna": "IT",
    "sardinia": "IT",
    "sardinien": "IT",
    "schottland": "GB",
    "scotland": "GB",
    "scozia": "GB",
    "siberia": "RU",
    "sibirien": "RU",
    "sicile": "IT",
    "sicilia": "IT",
    "sicily": "IT",
    "sizilien": "IT",
    "sumatra": "ID",
    "swaziland": "SZ",
    "szkocja": "GB",
    "tahiti": "PF",
    "tasmania": "AU",
    "texas": "US",
    "the netherlands": "NL",
    "tibet": "CN",
    "turkey": "TR",
    "u.k.": "GB",
    "u.s.": "US",
    "u.s.a.": "US",
    "uae": "AE",
    "uk": "GB",
    "usa": "US",
    "vs": "US",
    "wales": "GB",
    "weißrussland": "BY",
    "wit-rusland": "BY",
    "zanzibar": "TZ",
    "écosse": "GB",
    "америка": "US",
    "англия": "GB",
    "белоруссия": "BY",
    "голландия": "NL",
    "сша": "US",
    "шотландия": "GB",
    "أمريكا": "US",
    "米国": "US",
    "英国": "GB",
    "香港": "HK",
    "한국": "KR",
}
_WITH_ARTICLE = frozenset(
    ["AE", "BQ", "BS", "CF", "DO", "GB", "GM", "IM", "IO", "KM", "MV", "NL", "PH", "TF", "UM", "US"]
)


def is_continent(code: str) -> bool:
    """Tell whether a code is a continent's, and not a country's."""
    return code in _CONTINENTS.values()


def in_a_sentence(code: str) -> str:
    """Return the English name as it stands in a sentence: "the Netherlands".

    >>> [in_a_sentence(code) for code in ("AT", "US", "FO", "PS", "EUROPE")]
    ['Austria', 'the United States', 'the Faroe Islands', 'the Palestinian Territories', 'Europe']
    """
    name = PLACES.name(code)
    plural = name.endswith((" Islands", " Territories"))
    return f"the {name}" if plural or code in _WITH_ARTICLE else name


def _names(locale: str) -> Mapping[str, str]:
    names = spoken_in(locale).territories
    countries = {
        code: name for code, name in names.items() if len(code) == 2 and code not in _NO_COUNTRIES
    }
    return countries | {code: names[m49] for m49, code in _CONTINENTS.items()}


def _unasked(locale: str) -> list[str]:
    spoken = spoken_in(locale)
    likely = get_global("likely_subtags").get(spoken.language, "")
    home = spoken.territory or likely.rpartition("_")[2]
    names = _names(locale)
    return sorted(names, key=lambda code: (code != home, not is_continent(code), fold(names[code])))


PLACES = NamedCodes(_names, also=ENDONYMS | _ALSO_CALLED, unasked=_unasked)
"""All of them. Where nothing is typed the country of the language leads, before the continents."""
