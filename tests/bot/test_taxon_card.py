"""Taxon cards: what they say, what they link to, and that nobody else's text gets through."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gbif.answer import Match, TaxonInfo
from bot.gbif.facts import CountryCount, Occurrences
from bot.links import taxon_url
from bot.taxon.card import (
    CREDIT,
    MAP_CREDIT,
    as_text,
    choice_card,
    literal,
    map_description,
    taxon_card,
    unknown_card,
)
from bot.taxon.profile import Part, TaxonProfile
from engine import Ancestor, Taxon

TIT = Taxon(
    scientific_name="Parus major",
    rank="species",
    lineage=(
        Ancestor("kingdom", "Animalia"),
        Ancestor("family", "Paridae"),
        Ancestor("genus", "Parus"),
    ),
    vernacular_name="Great Tit",
    gbif_key=9705453,
    col_key="6W3C4",
)


def fields(embed: discord.Embed) -> dict[str | None, str | None]:
    return {field.name: field.value for field in embed.fields}


def card_of(info: TaxonInfo, **parts: Any) -> discord.Embed:
    own = info.taxon.vernacular_name if info.taxon is not None else None
    return taxon_card(TaxonProfile(info=info, **parts), {"en": (own,)} if own else {})


def local(taxon: Taxon) -> TaxonInfo:
    return TaxonInfo.local(taxon, "GBIF could not be reached")


def test_links_prefer_the_integer_key_then_the_col_key_then_an_exact_search() -> None:
    assert taxon_url(TIT) == "https://www.gbif.org/species/9705453"
    col = Taxon(scientific_name="Parus major", rank="species", col_key="6W3C4")
    assert taxon_url(col) == "https://www.gbif.org/taxon/6W3C4"
    none = Taxon(scientific_name="Malus \N{MULTIPLICATION SIGN} domestica", rank="species")
    assert taxon_url(none) == (
        "https://www.gbif.org/species/search?q=%22Malus%20%C3%97%20domestica%22"
    )


def test_a_card_shows_all_that_gbif_said() -> None:
    info = TaxonInfo(
        asked="Parus major",
        match=Match.EXACT,
        taxon=TIT,
        authorship="Linnaeus, 1758",
        status="ACCEPTED",
        iucn="LC",
    )
    card = card_of(info, iucn="LC")
    assert card.title == "Great Tit · *Parus major* Linnaeus, 1758"
    assert card.url == "https://www.gbif.org/species/9705453"
    assert fields(card) == {
        "Rank": "Species",
        "Status": "Accepted",
        "IUCN Red List": "🟩 Least concern (LC)",
        "Lineage": "Animalia \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} Paridae "
        "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} *Parus*",
    }
    assert card.footer.text == CREDIT


def test_a_local_card_says_why_it_is_local() -> None:
    card = card_of(TaxonInfo.local(TIT, "GBIF could not be reached"))
    assert card.footer.text == ("From Fieldmark's own taxon table; GBIF could not be reached.")
    assert "Status" not in fields(card)


def test_a_synonym_links_to_the_accepted_name() -> None:
    synonym = Taxon(scientific_name="Parus minor", rank="species")
    info = TaxonInfo(
        asked="Parus minor",
        match=Match.EXACT,
        taxon=synonym,
        status="SYNONYM",
        accepted=TIT,
        accepted_authorship="Linnaeus, 1758",
    )
    card = card_of(info)
    assert card.title == "*Parus minor*, accepted name *Parus major*"
    assert fields(card)["Accepted name"] == (
        "[*Parus major*](https://www.gbif.org/species/9705453) Linnaeus, 1758"
    )


@pytest.mark.parametrize(
    ("match", "words"), [(Match.VARIANT, "Did you mean"), (Match.HIGHER_RANK, "nearest taxon")]
)
def test_a_card_for_another_name_than_asked_says_so(match: Match, words: str) -> None:
    card = card_of(TaxonInfo(asked="Parus majr", match=match, taxon=TIT, status="ACCEPTED"))
    assert card.description is not None
    assert words in card.description
    assert "Parus majr" in card.description


def test_families_are_not_set_in_italics() -> None:
    family = Taxon(scientific_name="Paridae", rank="family", lineage=TIT.lineage[:1])
    assert card_of(TaxonInfo.local(family, "x")).title == "Paridae"


def test_there_is_no_card_of_nothing() -> None:
    with pytest.raises(ValueError, match="Nothing is known"):
        card_of(TaxonInfo(asked="x", match=Match.NONE))


def test_several_taxa_are_listed_with_links_and_lineage() -> None:
    family = Taxon(scientific_name="Paridae", rank="family", lineage=TIT.lineage[:1])
    card = choice_card("tits", [local(TIT), local(family)])
    assert card.title == "“tits” is the name of 2 taxa"
    assert card.description is not None
    first, second = card.description.splitlines()
    assert "[*Parus major*](https://www.gbif.org/species/9705453) (Great Tit): species in" in first
    assert "[Paridae](https://www.gbif.org/species/search?q=%22Paridae%22)" in second
    many = choice_card("tits", [local(TIT)] * 12)
    assert many.description is not None
    assert many.description.endswith("and 2 more.")
    assert len(many.description) < 4096


def test_a_synonym_among_several_taxa_names_what_is_accepted() -> None:
    synonym = Taxon(scientific_name="Parus minor", rank="species")
    info = TaxonInfo(
        asked="x", match=Match.EXACT, taxon=synonym, authorship="Temminck", accepted=TIT
    )
    card = choice_card("tits", [info], source=CREDIT)
    assert card.description is not None
    assert "*Parus minor*" in card.description
    assert "Temminck: species, accepted name [*Parus major*](" in card.description


NAMES = {
    "de": ("Kohlmeise",),
    "xx": (),
    "fr": ("Mésange charbonnière",),
    "en": ("Great Tit", "Tit"),
}
ACCEPTED = TaxonInfo(asked="x", match=Match.EXACT, taxon=TIT, status="ACCEPTED")


def test_the_readers_language_comes_first_and_english_stays() -> None:
    card = taxon_card(TaxonProfile(info=ACCEPTED), NAMES)
    assert card.title == "Kohlmeise · *Parus major*"
    assert fields(card)["Names"] == (
        "German: Kohlmeise\nFrench: Mésange charbonnière\nEnglish: Great Tit, Tit"
    )


def test_of_many_names_in_one_language_the_others_are_not_crowded_out() -> None:
    many = tuple(f"{'Berschling' * 5} {number}" for number in range(60))
    card = taxon_card(TaxonProfile(info=ACCEPTED), {"de": many, "en": ("Perch",)})
    shown = str(fields(card)["Names"])
    assert shown.startswith(f"German: {many[0]}, {many[1]}")
    assert shown.endswith("\nEnglish: Perch")


def test_without_a_name_in_the_readers_language_the_title_is_english() -> None:
    card = taxon_card(TaxonProfile(info=ACCEPTED), {"ja": (), "en": ("Great Tit",)})
    assert card.title == "Great Tit · *Parus major*"
    assert "Names" not in fields(card)


def test_a_taxon_that_nobody_has_a_name_for_is_called_by_its_scientific_one() -> None:
    card = taxon_card(TaxonProfile(info=ACCEPTED), {"ja": (), "en": ()})
    assert card.title == "*Parus major*"
    assert "Names" not in fields(card)


def test_occurrences_are_counted_by_country() -> None:
    found = Occurrences(
        1_234_567, (CountryCount("GB", 900_000), CountryCount("XZ", 12), CountryCount("QQ", 1))
    )
    card = card_of(ACCEPTED, occurrences=found)
    assert fields(card)["Occurrences at GBIF"] == (
        "1,234,567, most of them in United Kingdom (900,000), the high seas (12), QQ (1)"
    )
    assert fields(card_of(ACCEPTED, occurrences=Occurrences(0)))["Occurrences at GBIF"] == "None."


def test_the_map_is_shown_credited_and_told_in_words() -> None:
    found = Occurrences(9, (CountryCount("NO", 9),))
    profile = TaxonProfile(info=ACCEPTED, world_map=b"png", occurrences=found)
    card = taxon_card(profile, NAMES)
    assert card.to_dict()["image"] == {
        "url": "attachment://map.png",
        "description": map_description(profile),
    }
    assert card.footer.text == f"{CREDIT}\n{MAP_CREDIT}"
    assert map_description(profile) == (
        "A map of the world with dots, yellow to red, where Parus major was recorded."
        " Most records: Norway (9)."
    )


@pytest.mark.parametrize("code", ["EX", "EW", "CR", "EN", "VU", "NT", "LC"])
def test_the_stripe_has_a_colour_of_its_own_for_each_category(code: str) -> None:
    others = {"EX", "EW", "CR", "EN", "VU", "NT", "LC"} - {code}
    colour = card_of(ACCEPTED, iucn=code).colour
    assert colour is not None
    assert colour.value != 0
    assert colour not in {card_of(ACCEPTED, iucn=other).colour for other in others}


def test_what_came_too_late_and_what_is_old_is_said() -> None:
    card = card_of(ACCEPTED, missing=(Part.MAP, Part.OCCURRENCES), stale_s=3 * 86400.0)
    assert card.footer.text == (
        f"{CREDIT}\nGBIF could not be reached: this is as of 3 days ago.\n"
        "Not there in time: the map, where it is found."
    )
    young = card_of(ACCEPTED, stale_s=20.0).footer.text
    assert young is not None
    assert "as of 1 hour ago" in young


def test_a_local_card_does_not_say_twice_that_gbif_is_away() -> None:
    text = card_of(local(TIT), missing=(Part.MAP,)).footer.text
    assert text == "From Fieldmark's own taxon table; GBIF could not be reached."
    kept = card_of(local(TIT), missing=(Part.MAP,), occurrences=Occurrences(3)).footer.text
    assert kept is not None
    assert kept.splitlines()[1:] == [CREDIT, "Not there in time: the map."]


def test_a_card_can_be_set_as_text() -> None:
    text = as_text(card_of(ACCEPTED, iucn="LC"), "No embeds here.")
    lines = text.splitlines()
    assert lines[0] == "**[Great Tit · *Parus major*](<https://www.gbif.org/species/9705453>)**"
    assert "IUCN Red List: 🟩 Least concern (LC)" in lines
    assert lines[-2:] == [f"-# {CREDIT}", "-# No embeds here."]


def test_an_unknown_name_gets_a_sentence_and_what_may_have_been_meant() -> None:
    card = unknown_card("Parus majr", [local(TIT)])
    assert card.description is not None
    assert card.description.startswith("Neither I nor GBIF know a taxon called “Parus majr”.")
    assert "Did you mean:\n- [*Parus major*]" in card.description
    offline = unknown_card("Parus majr", [], reason="GBIF could not be reached")
    assert offline.description is not None
    assert "GBIF could not be reached" in offline.description
    assert "Check the spelling" in offline.description
    several = unknown_card("Oenanthe", [], ambiguous=True)
    assert several.description is not None
    assert "add the author" in several.description


@given(st.text(alphabet=st.characters() | st.sampled_from("<>[]()@*_`~|:/\\\n#-"), max_size=300))
def test_no_text_of_others_becomes_markdown_a_link_or_a_mention(text: str) -> None:
    shown = literal(text)
    assert len(shown) <= 450
    assert not set("<>[]@\n") & set(shown)
    assert "://" not in shown
    info = TaxonInfo(
        asked=text,
        match=Match.VARIANT,
        taxon=Taxon(scientific_name=text, rank=text, vernacular_name=text, col_key=text or None),
        authorship=text,
        status=text,
        accepted=Taxon(scientific_name=text, rank="genus"),
        accepted_authorship=text,
    )
    names = {"en": (text,) * 3, "de": (text,) * 3} if text else {}
    found = Occurrences(1, (CountryCount(text, 1),) * 5)
    profile = TaxonProfile(info=info, occurrences=found, iucn=text)
    assert len(as_text(taxon_card(profile, names), "A note.")) <= 2000
    assert len(map_description(profile)) <= 1024
    cards = (taxon_card(profile, names), taxon_card(TaxonProfile(info=info), {}))
    for card in (*cards, choice_card(text, [info]), unknown_card(text, [local(TIT)])):
        assert len(card) <= 6000
        assert len(card.title or "") <= 256
        assert all(len(field.value or "") <= 1024 for field in card.fields)
