"""Taxon cards: what they say, what they link to, and that nobody else's text gets through."""

from __future__ import annotations

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gbif_answer import Match, TaxonInfo
from bot.links import taxon_url
from bot.taxon_card import CREDIT, choice_card, literal, taxon_card, unknown_card
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
    card = taxon_card(info)
    assert card.title == "Great Tit · *Parus major* Linnaeus, 1758"
    assert card.url == "https://www.gbif.org/species/9705453"
    assert fields(card) == {
        "Rank": "Species",
        "Status": "Accepted",
        "IUCN Red List": "Least concern (LC)",
        "Lineage": "Animalia \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} Paridae "
        "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} *Parus*",
    }
    assert card.footer.text == CREDIT


def test_a_local_card_says_why_it_is_local() -> None:
    card = taxon_card(TaxonInfo.local(TIT, "GBIF could not be reached"))
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
    assert fields(taxon_card(info))["Accepted name"] == (
        "[*Parus major*](https://www.gbif.org/species/9705453) Linnaeus, 1758"
    )


@pytest.mark.parametrize(
    ("match", "words"), [(Match.VARIANT, "Did you mean"), (Match.HIGHER_RANK, "nearest taxon")]
)
def test_a_card_for_another_name_than_asked_says_so(match: Match, words: str) -> None:
    card = taxon_card(TaxonInfo(asked="Parus majr", match=match, taxon=TIT, status="ACCEPTED"))
    assert card.description is not None
    assert words in card.description
    assert "Parus majr" in card.description


def test_families_are_not_set_in_italics() -> None:
    family = Taxon(scientific_name="Paridae", rank="family", lineage=TIT.lineage[:1])
    assert taxon_card(TaxonInfo.local(family, "x")).title == "Paridae"


def test_there_is_no_card_of_nothing() -> None:
    with pytest.raises(ValueError, match="Nothing is known"):
        taxon_card(TaxonInfo(asked="x", match=Match.NONE))


def test_several_taxa_are_listed_with_links_and_lineage() -> None:
    family = Taxon(scientific_name="Paridae", rank="family", lineage=TIT.lineage[:1])
    card = choice_card("tits", [TIT, family])
    assert card.title == "“tits” is the name of 2 taxa"
    assert card.description is not None
    first, second = card.description.splitlines()
    assert "[*Parus major*](https://www.gbif.org/species/9705453) (Great Tit): species in" in first
    assert "[Paridae](https://www.gbif.org/species/search?q=%22Paridae%22)" in second
    assert card.footer.text is not None
    assert card.footer.text.endswith("ask for “Parus major”.")
    many = choice_card("tits", [TIT] * 12)
    assert many.footer.text is not None
    assert many.footer.text.endswith("ask for “Parus major (Parus)”.")
    assert many.description is not None
    assert many.description.endswith("and 2 more.")
    assert len(many.description) < 4096


def test_an_unknown_name_gets_a_sentence_and_what_may_have_been_meant() -> None:
    card = unknown_card("Parus majr", [TIT])
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
    for card in (taxon_card(info), choice_card(text, [TIT]), unknown_card(text, [TIT])):
        assert len(card) <= 6000
        assert len(card.title or "") <= 256
        assert all(len(field.value or "") <= 1024 for field in card.fields)
