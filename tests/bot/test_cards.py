"""The card: what it says, and that nothing in a name can break it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards import bar, identification_card, identification_text
from bot.headline import percent
from bot.place import Place
from engine import (
    Ancestor,
    Candidate,
    Group,
    Identification,
    ModelInfo,
    ReferencePhoto,
    Taxon,
    TaxonTable,
    Verdict,
)
from engine.rollup import roll_up

MODEL = ModelInfo(
    name="birds", title="AIY Birds", group=Group.BIRD, version="V1", classes=965, runtime="test"
)
AVES = (Ancestor("kingdom", "Animalia"), Ancestor("class", "Aves"))
ROBIN = Taxon(
    scientific_name="Erithacus rubecula",
    rank="species",
    lineage=(*AVES, Ancestor("genus", "Erithacus")),
    vernacular_name="European robin",
    gbif_key=2492462,
)
NIGHTINGALE = replace(
    ROBIN, scientific_name="Luscinia megarhynchos", vernacular_name=None, gbif_key=2492576
)
LARUS = Taxon(
    scientific_name="Larus", rank="genus", lineage=AVES, vernacular_name="gulls", gbif_key=2481126
)


ROBIN_PAGE = "https://www.gbif.org/species/2492462"


def identification(**changes: Any) -> Identification:
    base = Identification(
        candidates=(
            Candidate(taxon=ROBIN, probability=0.93, model="birds"),
            Candidate(taxon=NIGHTINGALE, probability=0.02, model="birds"),
        ),
        verdict=Verdict(taxon=ROBIN, probability=0.93),
        group=Group.BIRD,
        known=True,
        known_score=0.97,
        models=(MODEL,),
        timings_ms={"total": 184.3},
    )
    return replace(base, **changes)


def test_a_species() -> None:
    embed = identification_card(identification(notes=("First frame of an animation.",)))
    assert embed.title == "European robin"
    assert embed.url == ROBIN_PAGE
    assert (embed.description or "").splitlines() == [
        "*Erithacus rubecula*, a bird · **93 %** sure",
        "",
        f"`███████░  93 %` [European robin]({ROBIN_PAGE}) · *Erithacus rubecula*",
        "`░░░░░░░░   2 %` [*Luscinia megarhynchos*](https://www.gbif.org/species/2492576)",
    ]
    assert embed.footer.text == "Bird · AIY Birds V1 · 184 ms\nFirst frame of an animation."


def test_candidates_below_one_percent_get_no_line_unless_there_is_no_other() -> None:
    likely, unlikely = (
        Candidate(taxon=taxon, probability=p, model="birds")
        for taxon, p in ((ROBIN, 0.93), (NIGHTINGALE, 0.004))
    )
    both = identification_card(identification(candidates=(likely, unlikely)))
    assert "Luscinia" not in (both.description or "")
    alone = identification_card(identification(candidates=(unlikely,)))
    assert "`░░░░░░░░  <1 %` [*Luscinia" in (alone.description or "")


def test_a_genus() -> None:
    embed = identification_card(
        identification(verdict=Verdict(taxon=LARUS, probability=0.91), timings_ms={"total": 1234})
    )
    assert embed.title == "A bird of the genus Larus"
    lead = (embed.description or "").splitlines()[0]
    assert lead == "**91 %** sure of the genus *Larus* (gulls); the species is open."
    assert "1.2 s" in (embed.footer.text or "")


def lookalikes(*names: str | None, lineage: tuple[Ancestor, ...] = AVES) -> tuple[Candidate, ...]:
    """Return candidates of the genus Passer with these English names, ever less likely."""
    return tuple(
        Candidate(
            taxon=Taxon(
                scientific_name=f"Passer {number}",
                rank="species",
                lineage=(*lineage, Ancestor("genus", "Passer")),
                vernacular_name=name,
            ),
            probability=0.55 / (number + 1),
            model="birds",
        )
        for number, name in enumerate(names)
    )


PASSER = Verdict(taxon=Taxon(scientific_name="Passer", rank="genus", lineage=AVES), probability=0.9)
INSECTA = (Ancestor("kingdom", "Animalia"), Ancestor("class", "Insecta"))


def test_species_are_called_as_their_readers_call_them() -> None:
    names = {ROBIN: "rouge-gorge", NIGHTINGALE: "rossignol"}
    for embed in (
        identification_card(identification(), names=names),
        identification_card(identification(), names=names, spoiler=True),
    ):
        text = f"{embed.title}\n{embed.description}"
        assert "Rouge-gorge" in text
        assert "robin" not in text
        assert "[Rossignol](https://www.gbif.org/species/2492576) · *Luscinia megarhynchos*" in text
    plain = identification_text(identification(), names=names).splitlines()
    assert plain[0] == "**Rouge-gorge**"


def test_a_species_without_a_name_in_the_language_keeps_its_own() -> None:
    text = identification_card(identification(), names={NIGHTINGALE: "Nachtigall"}).description
    assert f"[European robin]({ROBIN_PAGE}) · *Erithacus rubecula*" in (text or "")


def test_what_likely_species_have_in_common_is_said_in_english() -> None:
    likely = lookalikes("House Sparrow", "Eurasian Tree-Sparrow")
    names = {candidate.taxon: f"gorrión {n}" for n, candidate in enumerate(likely)}
    embed = identification_card(identification(verdict=PASSER, candidates=likely), names=names)
    assert embed.title == "A sparrow of the genus Passer"
    assert "most likely Gorrión 0, 55 %." in (embed.description or "")


def test_a_higher_taxon_is_called_as_its_readers_call_it() -> None:
    verdict = Verdict(taxon=LARUS, probability=0.91)
    embed = identification_card(identification(verdict=verdict), names={LARUS: "Möwen"})
    assert "genus *Larus* (Möwen)" in (embed.description or "")


def test_a_genus_leads_to_its_likeliest_species() -> None:
    embed = identification_card(
        identification(
            verdict=PASSER, candidates=lookalikes("House Sparrow", "Eurasian Tree-Sparrow")
        )
    )
    assert embed.title == "A sparrow of the genus Passer"
    lead, _, first, second = (embed.description or "").splitlines()
    assert lead == "**90 %** sure of the genus *Passer*; most likely House Sparrow, 55 %."
    assert "House Sparrow" in first
    assert "Eurasian Tree-Sparrow" in second


def test_a_species_that_may_be_one_the_models_lack_is_named_with_that_doubt() -> None:
    nameless, named, among_many = (
        identification_card(
            replace(identification(verdict=PASSER, candidates=lookalikes(*names)), trust=0.6)
        ).description
        for names in ([None], ["House Sparrow"], ["House Sparrow", "Rock Sparrow", "Cape Sparrow"])
    )
    sure, doubt = "**90 %** sure of the genus *Passer*; most likely", "unless it is one that"
    assert (nameless or "").startswith(f"{sure} *Passer 0*, 55 %, {doubt} I don't know.")
    assert (named or "").startswith(f"{sure} House Sparrow, 55 %, {doubt} I don't know.")
    # Here sparrows that are known compete more than any that is not.
    assert (among_many or "").startswith(f"{sure} House Sparrow, 55 %.")


@pytest.mark.parametrize(
    ("names", "lineage", "kind"),
    [
        (("Barn Owl", "Little Owl"), AVES, "An owl"),
        (("House Sparrow", "Rock Petronia"), AVES, "A bird"),
        (("House Sparrow", None), AVES, "A bird"),
        (("House Sparrow",), AVES, "A bird"),
        (("-", "- -"), AVES, "A bird"),
        (("Painted Lady", "American Lady"), INSECTA, "An insect"),
    ],
)
def test_a_kind_is_named_by_what_the_species_share(
    names: tuple[str | None, ...], lineage: tuple[Ancestor, ...], kind: str
) -> None:
    verdict = replace(PASSER, taxon=replace(PASSER.taxon, lineage=lineage))
    embed = identification_card(
        identification(verdict=verdict, candidates=lookalikes(*names, lineage=lineage))
    )
    assert embed.title == f"{kind} of the genus Passer"


def test_a_kind_is_not_named_by_a_part_of_what_the_verdict_rests_on() -> None:
    few = replace(PASSER, probability=0.99)
    embed = identification_card(
        identification(verdict=few, candidates=lookalikes("House Sparrow", "Tree Sparrow"))
    )
    assert embed.title == "A bird of the genus Passer"


def test_a_kind_is_named_by_what_the_species_share_though_none_may_be_the_one() -> None:
    answer = identification(verdict=PASSER, candidates=lookalikes("House Sparrow", "Tree Sparrow"))
    assert identification_card(replace(answer, trust=0.9)).title == "A sparrow of the genus Passer"
    less_sure = replace(PASSER, probability=1.0)
    lacking = replace(answer, verdict=less_sure)
    assert identification_card(lacking).title == "A bird of the genus Passer"
    assert identification_card(replace(lacking, trust=0.8)).title == "A sparrow of the genus Passer"


def test_what_was_never_recorded_in_a_place_is_marked() -> None:
    place = Place(name="the Faroe Islands", unrecorded=frozenset({ROBIN}))
    embed = identification_card(identification(), place=place)
    lead, _, robin, nightingale = (embed.description or "").splitlines()
    assert lead.endswith("**93 %** sure, though never recorded in the Faroe Islands")
    assert robin.endswith(" · not recorded in the Faroe Islands")
    assert "recorded" not in nightingale
    assert "Taken to be from the Faroe Islands. Records: GBIF.org" in (embed.footer.text or "")
    assert "not recorded in the Faroe Islands" in identification_text(identification(), place=place)


def test_a_place_that_could_not_be_looked_up_is_said() -> None:
    place = Place(name="Austria", problem="GBIF could not be reached")
    embed = identification_card(identification(), place=place)
    assert "recorded" not in (embed.description or "")
    assert "That it is from Austria was not taken into account: GBIF could not be reached." in (
        embed.footer.text or ""
    )


def test_a_place_by_gps_is_said_to_be() -> None:
    place = Place(name="Austria", by_gps=True)
    embed = identification_card(identification(), place=place)
    assert "Taken to be from Austria (by the photo's GPS). Records: GBIF.org" in (
        embed.footer.text or ""
    )


def near(number: int, **changes: Any) -> ReferencePhoto:
    photo = ReferencePhoto(
        source="gbif",
        licence="CC BY 4.0",
        attribution=f"Person {number}",
        url=f"https://example.org/{number}",
    )
    return replace(photo, **changes)


def with_references(*references: ReferencePhoto) -> Identification:
    robin, nightingale = identification().candidates
    return identification(candidates=(replace(robin, references=references), nightingale))


def test_the_nearest_reference_photos_are_linked_and_credited() -> None:
    answer = with_references(
        near(1),
        near(2, url=None),
        near(3, licence="CC0", attribution=""),
        near(4, attribution="(c) Person 4"),
        near(5),
    )
    line = (
        "-# Nearest reference photos: [1](https://example.org/1) © Person 1, CC BY 4.0"
        " · [2](https://example.org/3) CC0 · [3](https://example.org/4) © Person 4, CC BY 4.0"
    )
    embed = identification_card(answer, source_url="https://discord.com/x")
    lines = (embed.description or "").splitlines()
    assert lines[-3:] == [line, "", "[Go to the photo](https://discord.com/x)"]
    assert identification_text(answer).splitlines()[-1] == line


def test_a_photo_that_a_member_taught_is_nobodys_to_credit() -> None:
    taught = ReferencePhoto(source="discord", licence="", attribution="", url=None)
    assert "reference" not in identification_text(with_references(taught))
    assert "reference" not in (identification_card(with_references(taught)).description or "")


def test_references_are_those_of_the_first_candidate() -> None:
    robin, nightingale = identification().candidates
    answer = identification(candidates=(robin, replace(nightingale, references=(near(1),))))
    assert "reference" not in (identification_card(answer).description or "")


def test_a_spoiler_hides_the_reference_photos() -> None:
    embed = identification_card(with_references(near(1)), spoiler=True)
    last = (embed.description or "").splitlines()[-1]
    assert last.startswith("-# ||Nearest reference photos: [1](")
    assert last.endswith("||")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "//example.org",
        "https://[",
        "",
        f"https://example.org/{'x' * 300}",
    ],
)
def test_only_addresses_of_the_web_are_linked(url: str) -> None:
    embed = identification_card(with_references(near(1, url=url)))
    assert "reference" not in (embed.description or "")


def test_a_class_is_no_triumph() -> None:
    insecta = Taxon(scientific_name="Insecta", rank="class", lineage=AVES[:1])
    embed = identification_card(identification(verdict=Verdict(taxon=insecta, probability=0.99)))
    assert embed.title == "An insect, but I can't tell which"
    assert "**99 %** sure of the class Insecta." in (embed.description or "")
    sure = identification_card(identification(verdict=Verdict(taxon=ROBIN, probability=0.99)))
    assert embed.colour != sure.colour


@pytest.mark.parametrize(
    ("names", "page"),
    [
        (("Passer domesticus", "Turdus merula"), "729"),
        (("Passer domesticus", "Anas platyrhynchos"), "212"),
        (("Vanessa atalanta", "Apis mellifera"), "216"),
        (("Quercus robur", "Pinus sylvestris"), "7707728"),
    ],
)
def test_a_higher_taxon_is_linked_by_its_key(names: tuple[str, str], page: str) -> None:
    taxa = TaxonTable.load()
    species = [(taxon, 0.5) for name in names for taxon in taxa.named(name)]
    embed = identification_card(identification(verdict=roll_up(species, taxa.ancestor)))
    assert embed.url == f"https://www.gbif.org/species/{page}"


def test_a_photo_outside_of_what_is_known() -> None:
    embed = identification_card(identification(known=False, verdict=None))
    assert embed.title == "I don't think this is in what I know"
    assert "I looked among birds." in (embed.description or "")
    assert "closer crop" in (embed.description or "")
    assert "another `group`" in (embed.description or "")
    assert embed.url is None


def test_unknown_without_candidates_promises_none() -> None:
    embed = identification_card(
        identification(known=False, verdict=None, candidates=(), group=Group.GENERIC)
    )
    assert embed.title == "I don't think this is in what I know"
    assert not (embed.description or "").endswith(":")


def test_no_verdict_is_said() -> None:
    embed = identification_card(identification(verdict=None))
    assert embed.title == "I can't tell from this photo"
    assert "European robin" in (embed.description or "")


def test_colours_tell_how_sure() -> None:
    colours = {
        identification_card(identification(verdict=Verdict(taxon=ROBIN, probability=p))).colour
        for p in (0.95, 0.6, 0.3)
    }
    colours.add(identification_card(identification(known=False)).colour)
    assert len(colours) == 4


def test_a_spoiler_hides_every_name() -> None:
    embed = identification_card(identification(), spoiler=True)
    assert embed.url is None
    shown = re.sub(r"\|\|.*?\|\|", "", f"{embed.title} {embed.description}")
    assert "obin" not in shown
    assert "rubecula" not in shown
    assert "||**European robin**||" in (embed.description or "")
    assert embed.footer.text == "184 ms"
    text = re.sub(r"\|\|.*?\|\|", "", identification_text(identification(), spoiler=True))
    assert "obin" not in text


def test_several_photos_and_notes_are_said() -> None:
    embed = identification_card(identification(photos=3), notes=("Videos are left out.",))
    assert "3 photos, taken as views of one individual." in (embed.footer.text or "")
    assert "Videos are left out." in (embed.footer.text or "")


def test_the_plain_text_says_the_same() -> None:
    text = identification_text(identification())
    assert text.splitlines()[0] == "**European robin**"
    assert "*Erithacus rubecula*, a bird · **93 %** sure" in text
    assert "-# Bird · AIY Birds V1 · 184 ms" in text


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (1e-9, "<1 %"),
        (0.0099, "<1 %"),
        (0.01, "1 %"),
        (0.5, "50 %"),
        (0.994, "99 %"),
        (0.995, ">99 %"),
        (1.0, ">99 %"),
    ],
)
def test_percent(probability: float, expected: str) -> None:
    assert percent(probability) == expected


@given(st.floats(0, 1))
def test_scores_are_equally_wide(probability: float) -> None:
    assert len(bar(probability)) == 8
    assert len(f"{percent(probability):>5}") == 5


NAMES = st.text(min_size=1, max_size=200) | st.text("[]()*_`~|\\<>@#:/x \n", min_size=1)
TAXA = st.builds(
    Taxon,
    scientific_name=NAMES,
    rank=st.sampled_from(["species", "genus", "family", "kingdom"]),
    lineage=st.just(AVES),
    vernacular_name=NAMES | st.none(),
    gbif_key=st.integers(1, 10**10) | st.none(),
    col_key=st.text("[]()*ABC", min_size=1, max_size=8) | st.none(),
)
PROBABILITIES = st.floats(0, 1, exclude_min=True)
STRANGE = st.text(max_size=90) | st.text("[]()*_`~|\\<>@#:/x \n", max_size=90)
REFERENCES = st.builds(
    ReferencePhoto,
    source=st.just("gbif"),
    licence=STRANGE,
    attribution=STRANGE,
    url=st.none() | STRANGE | STRANGE.map(lambda path: f"https://example.org/{path}"),
)
IDENTIFICATIONS = st.builds(
    Identification,
    candidates=st.lists(
        st.builds(
            Candidate,
            taxon=TAXA,
            probability=PROBABILITIES,
            model=st.just("birds"),
            references=st.lists(REFERENCES, max_size=4).map(tuple),
        ),
        max_size=7,
    ).map(tuple),
    verdict=st.builds(Verdict, taxon=TAXA, probability=PROBABILITIES) | st.none(),
    group=st.sampled_from([Group.BIRD, Group.GENERIC]),
    known=st.booleans(),
    known_score=st.floats(0, 1),
    models=st.just((MODEL,)),
    timings_ms=st.just({"total": 5.0}),
    notes=st.lists(st.text(max_size=300), max_size=6).map(tuple),
)

CANDIDATE = re.compile(
    r"`[█░]{8} [ <>0-9]{3} %` "
    r"\[(?:[^\[\]\\]|\\.)+\]\(https://www\.gbif\.org/[^\s()]+\)"
    r"(?: · .+)?"
)
REFERENCE_LINE = re.compile(r"-# Nearest reference photos: \[1\]\(https?://[^\s()|`*<>\[\]\\]+\).*")


def visible(markdown: str) -> str:
    """Take out the escaped characters: what is left is what Discord would interpret."""
    return re.sub(r"\\.", "", markdown)


@given(
    IDENTIFICATIONS,
    st.lists(st.text(max_size=300), max_size=6),
    st.booleans(),
    st.lists(NAMES, max_size=7),
)
def test_no_name_can_break_a_card(
    answer: Identification, notes: list[str], spoiler: bool, called: list[str]
) -> None:
    taxa = (candidate.taxon for candidate in answer.candidates)
    names = dict(zip(taxa, called, strict=False))
    embed = identification_card(answer, notes=notes, spoiler=spoiler, names=names)
    assert 0 < len(embed.title or "") <= 256
    assert 0 < len(embed.description or "") <= 4096
    assert len(embed.footer.text or "") <= 2048
    assert len(embed) <= 6000
    lines = [line for line in (embed.description or "").splitlines() if line]
    if lines[-1].startswith("-# "):
        references = lines.pop()
        assert REFERENCE_LINE.fullmatch(references.replace("||", "") if spoiler else references)
        assert visible(references).count("||") == (2 if spoiler else 0)
        assert visible(references).count("*") == 0
        assert "`" not in visible(references)
        assert not re.search(r"<[@#:a]", visible(references))
    likely = sum(candidate.probability >= 0.01 for candidate in answer.candidates)
    shown = min(5, max(likely, 1), len(answer.candidates))
    assert len(lines) == (2 if spoiler else 1) + shown
    for line in lines:
        bare = visible(line)
        assert bare.count("||") == (2 if spoiler else 0)
        assert bare.count("*") % 2 == 0
        assert not re.search(r"<[@#:a]", bare)
        assert bare.count("`") in (0, 2)
    for line in lines[-shown:] if shown else ():
        assert CANDIDATE.fullmatch(line.strip("|") if spoiler else line)


@given(IDENTIFICATIONS, st.booleans())
def test_no_name_can_break_the_plain_text(answer: Identification, spoiler: bool) -> None:
    text = identification_text(answer, spoiler=spoiler)
    assert 0 < len(text) <= 2000
    assert not discord.utils.find(lambda word: word in visible(text), ["@everyone", "<@", "<#"])
