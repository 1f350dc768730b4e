"""Languages are found as people type them, and answers are in those of their readers."""

from __future__ import annotations

import discord
import pytest
from babel import Locale
from babel.localedata import exists

from bot.options.languages import LANGUAGES, language
from bot.readers import Readers
from engine import TaxonTable
from engine.taxonomy.vernacular import language_of

LOCALES = [locale.value for locale in discord.Locale]
NAMED_ENOUGH = 25


@pytest.mark.parametrize(
    ("typed", "locale", "code"),
    [
        ("German", "en-US", "de"),
        ("german", "fr", "de"),
        ("allemand", "fr", "de"),
        ("Deutsch", "en-US", "de"),
        ("de", "ja", "de"),
        ("ドイツ語", "ja", "de"),
        ("Norwegian", "en-GB", "no"),
        ("maori", "en-US", "mi"),
        ("espanol", "en-US", "es"),
        ("nb", "en-US", "no"),
        ("Nynorsk", "en-US", "no"),
        ("pt-BR", "en-US", "pt"),
        ("castellano", "es-ES", "es"),
    ],
)
def test_a_language_is_found_by_its_names_and_its_code(typed: str, locale: str, code: str) -> None:
    assert LANGUAGES.find(typed, locale) == code
    assert LANGUAGES.suggest(typed, locale)[0] == code


@pytest.mark.parametrize("typed", ["", "klingon", "ger", "Austria"])
def test_what_is_no_language_is_not_guessed(typed: str) -> None:
    assert LANGUAGES.find(typed) is None


def test_a_slip_or_a_beginning_is_enough_for_a_suggestion() -> None:
    assert LANGUAGES.suggest("germn")[0] == "de"
    assert LANGUAGES.suggest("franz", "de")[0] == "fr"


@pytest.mark.parametrize("locale", LOCALES)
def test_nothing_typed_offers_the_members_own_language_first(locale: str) -> None:
    assert LANGUAGES.suggest("", locale)[0] == language(locale)
    assert len(LANGUAGES.suggest("", locale)) == 25


def test_the_languages_are_discords_and_those_of_many_names() -> None:
    taxa = TaxonTable.load()
    offered = set(LANGUAGES.suggest("", limit=1000))
    discords = {language(locale) for locale in LOCALES}
    known = map(str, Locale("en").languages)
    spoken = [code for code in known if exists(code) and language_of(code) == code]
    named = {code for code in spoken if taxa.species_named_in(code) >= NAMED_ENOUGH}
    assert offered == discords | named


def test_each_language_is_known_by_what_it_calls_itself() -> None:
    for code in LANGUAGES.suggest("", limit=1000):
        own = Locale.parse(code).get_language_name()
        assert own is not None
        assert LANGUAGES.find(own, "en-US") == code


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("deu", "de"),
        ("ger", "de"),
        ("de-AT", "de"),
        ("pt_BR", "pt"),
        ("nb", "no"),
        ("nno", "no"),
        ("xx", "xx"),
    ],
)
def test_a_code_is_reduced_to_the_shortest(code: str, short: str) -> None:
    assert language(code) == short


@pytest.mark.parametrize(
    ("readers", "chosen", "languages"),
    [
        (Readers(server="fr", member="de"), None, ("fr", "de")),
        (Readers(server="en-US", member="en-GB"), None, ("en",)),
        (Readers(server="en-US", member="de"), "es", ("es", "de")),
        (Readers(server="en-US"), "es", ("es",)),
        (Readers(member="de"), "es", ("de",)),
        (Readers(), "es", ()),
    ],
)
def test_the_servers_language_leads_and_what_it_has_chosen_goes_before_its_locale(
    readers: Readers, chosen: str | None, languages: tuple[str, ...]
) -> None:
    assert readers.languages(chosen) == languages
