"""Countries and continents are found as people type them."""

from __future__ import annotations

import discord
import pytest
from babel.languages import get_official_languages
from babel.localedata import exists, load
from hypothesis import given
from hypothesis import strategies as st

from bot.options.countries import PLACES, in_a_sentence, is_continent

LOCALES = [locale.value for locale in discord.Locale]


@pytest.mark.parametrize(
    ("typed", "locale", "code"),
    [
        ("austria", "en-US", "AT"),
        ("Österreich", "de", "AT"),
        ("osterreich", "de", "AT"),
        ("Austria", "de", "AT"),
        ("at", "fr", "AT"),
        ("Cote d'Ivoire", "en-GB", "CI"),
        ("bosnia and herzegovina", "en-US", "BA"),
        ("UK", "en-US", "GB"),
        ("Scotland", "en-GB", "GB"),
        ("オーストリア", "ja", "AT"),
        ("Kosovo", "en-US", "XK"),
        ("Niger", "en-US", "NE"),
        ("Europa", "de", "EUROPE"),
        ("europe", "ja", "EUROPE"),
        ("ヨーロッパ", "ja", "EUROPE"),
        ("north america", "en-US", "NORTH_AMERICA"),
        ("NORTH_AMERICA", "fr", "NORTH_AMERICA"),
        ("Amérique du Sud", "fr", "SOUTH_AMERICA"),
        ("africa", "en-GB", "AFRICA"),
        ("Antarctica", "en-US", "AQ"),
        ("U.K.", "en-US", "GB"),
        ("Großbritannien", "de", "GB"),
        ("Weissrussland", "de", "BY"),
        ("EE. UU.", "es-ES", "US"),
        ("EUA", "pt-BR", "US"),
        ("США", "ru", "US"),
        ("İngiltere", "tr", "GB"),
        ("Angleterre", "fr", "GB"),
        ("América del Sur", "es-ES", "SOUTH_AMERICA"),
        ("한국", "ko", "KR"),
        ("Szkocja", "pl", "GB"),
        ("Sibirien", "de", "RU"),
        ("Córcega", "es-ES", "FR"),
        ("米国", "ja", "US"),
    ],
)
def test_a_place_is_found_by_name_and_code(typed: str, locale: str, code: str) -> None:
    assert PLACES.find(typed, locale) == code
    assert PLACES.suggest(typed, locale)[0] == code


@pytest.mark.parametrize("typed", ["", "austri", "European Union", "EU", "atlantis"])
def test_what_is_no_place_is_not_guessed(typed: str) -> None:
    assert PLACES.find(typed) is None


@pytest.mark.parametrize(
    ("typed", "locale", "code"),
    [
        ("grmany", "en-US", "DE"),
        ("asutria", "en-US", "AT"),
        ("holand", "en-US", "NL"),
        ("Ostrig", "da", "AT"),
        ("viet nam", "en-US", "VN"),
        ("osterr", "de", "AT"),
        ("zealand", "en-US", "NZ"),
        ("eurpe", "en-US", "EUROPE"),
        ("irland", "en-US", "IE"),
        ("phillipines", "en-US", "PH"),
        ("swizerlan", "en-US", "CH"),
        ("ozean", "de", "OCEANIA"),
    ],
)
def test_a_slip_or_a_beginning_is_enough_for_a_suggestion(
    typed: str, locale: str, code: str
) -> None:
    assert PLACES.suggest(typed, locale)[0] == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("Hawaii", "US"),
        ("Alaska", "US"),
        ("California", "US"),
        ("U.S.", "US"),
        ("u.s.a.", "US"),
        ("UAE", "AE"),
        ("DRC", "CD"),
        ("Tahiti", "PF"),
        ("Tasmania", "AU"),
        ("Corsica", "FR"),
        ("Siberia", "RU"),
        ("Canary Islands", "ES"),
        ("Azores", "PT"),
        ("Galapagos", "EC"),
        ("Sicily", "IT"),
        ("Central America", "NORTH_AMERICA"),
    ],
)
def test_a_part_that_people_say_they_are_in_is_its_country(typed: str, code: str) -> None:
    assert PLACES.find(typed) == code
    assert PLACES.suggest(typed)[0] == code


@pytest.mark.parametrize("typed", ["Borneo", "Vienna", "Paris", "Berlin", "Goa", "Latin America"])
def test_what_is_like_a_place_by_chance_is_not_offered(typed: str) -> None:
    assert PLACES.suggest(typed) == []


def test_nothing_is_guessed_beside_what_was_typed_rightly() -> None:
    assert PLACES.suggest("Australia") == ["AU"]
    assert PLACES.suggest("Tasmania") == ["AU"]
    assert PLACES.suggest("USA") == ["US"]


def test_a_country_is_found_by_its_own_name_in_any_language() -> None:
    assert PLACES.find("Österreich", "en-US") == PLACES.find("osterreich", "ja") == "AT"
    for code in PLACES.suggest("", limit=1000):
        for language in get_official_languages(code, de_facto=True):
            own = load(language).get("territories", {}).get(code) if exists(language) else None
            assert own is None or PLACES.find(own, "en-US") == code, own


def test_what_begins_with_it_comes_before_what_is_like_it() -> None:
    first, second, *_ = PLACES.suggest("austr")
    assert {first, second} == {"AT", "AU"}
    assert PLACES.suggest("niger")[:2] == ["NE", "NG"]


@pytest.mark.parametrize(("locale", "code"), [("de", "DE"), ("pt-BR", "BR"), ("en-GB", "GB")])
def test_nothing_typed_offers_the_country_of_the_language_first(locale: str, code: str) -> None:
    assert PLACES.suggest("", locale)[0] == code
    assert all(is_continent(code) for code in PLACES.suggest("", locale)[1:7])
    assert len(PLACES.suggest("", locale)) == 25


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_of_discord_names_the_same_places(locale: str) -> None:
    everywhere = PLACES.suggest("", locale, limit=1000)
    countries = [code for code in everywhere if not is_continent(code)]
    assert (len(countries), len(everywhere)) == (250, 256)
    assert len({PLACES.name(code, locale) for code in everywhere}) == 256


def test_a_language_that_discord_adds_is_answered_in_english() -> None:
    assert PLACES.name("AT", "tlh") == "Austria"
    assert PLACES.find("austria", "tlh-Klingon-x") == "AT"


@given(st.text(max_size=120), st.sampled_from(LOCALES))
def test_nothing_typed_can_break_it(typed: str, locale: str) -> None:
    codes = PLACES.suggest(typed, locale)
    assert len(codes) == len(set(codes)) <= 25
    found = PLACES.find(typed, locale)
    assert found is None or codes[0] == found


@pytest.mark.parametrize("locale", LOCALES)
def test_what_is_chosen_is_what_was_offered(locale: str) -> None:
    for code in PLACES.suggest("", locale, limit=1000):
        assert PLACES.find(code, locale) == code


@pytest.mark.parametrize("locale", LOCALES)
def test_no_place_is_taken_for_another_of_the_same_language(locale: str) -> None:
    for code in PLACES.suggest("", locale, limit=1000):
        assert PLACES.find(PLACES.name(code, locale), locale) == code


def test_articles() -> None:
    codes = ("AT", "US", "NL", "FO", "CD")
    assert [in_a_sentence(code) for code in codes] == [
        "Austria",
        "the United States",
        "the Netherlands",
        "the Faroe Islands",
        "Congo - Kinshasa",
    ]
