"""Countries and continents are found as people type them."""

from __future__ import annotations

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.countries import find_place, in_a_sentence, is_continent, place_name, suggest_places

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
    ],
)
def test_a_place_is_found_by_name_and_code(typed: str, locale: str, code: str) -> None:
    assert find_place(typed, locale) == code
    assert suggest_places(typed, locale)[0] == code


@pytest.mark.parametrize("typed", ["", "austri", "European Union", "EU", "atlantis"])
def test_what_is_no_place_is_not_guessed(typed: str) -> None:
    assert find_place(typed) is None


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
        ("eurp", "en-US", "EUROPE"),
        ("ozean", "de", "OCEANIA"),
    ],
)
def test_a_slip_or_a_beginning_is_enough_for_a_suggestion(
    typed: str, locale: str, code: str
) -> None:
    assert suggest_places(typed, locale)[0] == code


def test_what_begins_with_it_comes_before_what_is_like_it() -> None:
    first, second, *_ = suggest_places("austr")
    assert {first, second} == {"AT", "AU"}
    assert suggest_places("niger")[:2] == ["NE", "NG"]


@pytest.mark.parametrize(("locale", "code"), [("de", "DE"), ("pt-BR", "BR"), ("en-GB", "GB")])
def test_nothing_typed_offers_the_country_of_the_language_first(locale: str, code: str) -> None:
    assert suggest_places("", locale)[0] == code
    assert all(is_continent(code) for code in suggest_places("", locale)[1:7])
    assert len(suggest_places("", locale)) == 25


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_of_discord_names_the_same_places(locale: str) -> None:
    everywhere = suggest_places("", locale, limit=1000)
    countries = [code for code in everywhere if not is_continent(code)]
    assert (len(countries), len(everywhere)) == (250, 256)
    assert len({place_name(code, locale) for code in everywhere}) == 256


def test_a_language_that_discord_adds_is_answered_in_english() -> None:
    assert place_name("AT", "tlh") == "Austria"
    assert find_place("austria", "tlh-Klingon-x") == "AT"


@given(st.text(max_size=120), st.sampled_from(LOCALES))
def test_nothing_typed_can_break_it(typed: str, locale: str) -> None:
    codes = suggest_places(typed, locale)
    assert len(codes) == len(set(codes)) <= 25
    found = find_place(typed, locale)
    assert found is None or codes[0] == found


def test_articles() -> None:
    codes = ("AT", "US", "NL", "FO", "CD")
    assert [in_a_sentence(code) for code in codes] == [
        "Austria",
        "the United States",
        "the Netherlands",
        "the Faroe Islands",
        "Congo - Kinshasa",
    ]
