"""The taxon table that comes with the engine: what it says, and what it refuses."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contracts import Ancestor, Taxon
from engine.taxonomy.taxa import DEFAULT_PATH, LABEL_SETS, TaxonTable, TaxonTableError, fold
from tools.label_facts import spell


@pytest.fixture(scope="module")
def table() -> TaxonTable:
    table = TaxonTable.load()
    table.prepare_search()
    return table


def names(taxa: tuple[Taxon, ...]) -> list[str]:
    return [taxon.scientific_name for taxon in taxa]


def test_labels_are_indexed_as_the_networks_count_and_background_is_no_taxon(
    table: TaxonTable,
) -> None:
    widths = {label_set: len(table.labels(label_set)) for label_set in LABEL_SETS}
    assert widths == {"birds": 965, "insects": 1022, "plants": 2102, "inat2021": 10000}
    for label_set in ("birds", "insects", "plants"):
        *species, background = table.labels(label_set)
        assert background is None
        assert None not in species
    assert None not in table.labels("inat2021")
    finch = table.labels("birds")[0]
    assert finch is not None
    assert (finch.scientific_name, finch.vernacular_name) == (
        "Haemorhous cassinii",
        "Cassin's Finch",
    )
    assert (finch.gbif_key, finch.ancestor("family")) == (8255548, "Fringillidae")


@pytest.mark.parametrize("label_set", ["birds", "insects", "plants"])
def test_labels_agree_with_the_published_label_maps(
    table: TaxonTable, shared: Path, label_set: str
) -> None:
    labels = table.labels(label_set)
    path = shared / "labels" / f"aiy_{label_set}_V1_labelmap.csv"
    with path.open(encoding="utf-8", newline="") as file:
        published = {int(row["id"]): row["name"] for row in csv.DictReader(file)}
    assert len(published) == len(labels)
    ours = [taxon.scientific_name if taxon else "background" for taxon in labels]
    assert ours == [spell(published[index]) for index in range(len(labels))]


def test_the_table_knows_the_ids_of_inaturalist(table: TaxonTable) -> None:
    (mallard,) = table.named("Anas platyrhynchos")
    (order,) = table.named("Passeriformes")
    assert table.inat_taxon_id(mallard) == 6930
    assert table.inat_taxon_id(order) is None


def test_inat2021_agrees_with_the_facts_at_every_index(table: TaxonTable, shared: Path) -> None:
    with (shared / "labels" / "taxa.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] == "inat2021"]
    labels = table.labels("inat2021")
    ours = [labels[int(row["label_index"])] for row in rows]
    assert [t.scientific_name if t else None for t in ours] == [
        spell(row["scientific_name"]) for row in rows
    ]


def test_an_unknown_label_set_is_named_in_the_error(table: TaxonTable) -> None:
    with pytest.raises(KeyError, match="fungi"):
        table.labels("fungi")


def test_one_taxon_of_several_label_sets_is_one_value(table: TaxonTable) -> None:
    sparrow = table.by_gbif_key(5231190)
    assert sparrow is not None
    assert sparrow.scientific_name == "Passer domesticus"
    assert sparrow in table.labels("birds")
    assert any(taxon is sparrow for taxon in table.labels("inat2021"))
    assert table.by_gbif_key(10**10) is None


def test_no_key_stands_for_two_taxa(table: TaxonTable) -> None:
    for key in ("gbif_key", "col_key"):
        keys = [getattr(taxon, key) for taxon in table if getattr(taxon, key) is not None]
        assert keys
        assert len(keys) == len(set(keys))


def test_names_are_clean(table: TaxonTable) -> None:
    for taxon in table:
        for name in (
            taxon.scientific_name,
            taxon.vernacular_name or "",
            *(a.name for a in taxon.lineage),
        ):
            assert not set("\\/|_") & set(name), name
        assert taxon.vernacular_name != ""
    (eighty_eight,) = table.named("Anna's Eighty-eight")
    assert eighty_eight.vernacular_name == "Anna\N{RIGHT SINGLE QUOTATION MARK}s Eighty-eight"


def test_a_subspecies_hangs_below_its_species_and_does_not_borrow_its_key(
    table: TaxonTable,
) -> None:
    (species,) = table.named("Junco hyemalis")
    (subspecies,) = table.named("Junco hyemalis oreganus")
    assert species.gbif_key == 9362842
    assert (subspecies.rank, subspecies.gbif_key) == ("subspecies", None)
    assert subspecies.lineage[-1] == Ancestor("species", "Junco hyemalis")
    assert table.ancestor(subspecies, "species") is species


def test_hybrids_are_found_however_their_sign_is_written(table: TaxonTable) -> None:
    (apple,) = table.named("Malus domestica")
    assert apple.rank == "species"
    for spelling in ("malus x domestica", "Malus \N{MULTIPLICATION SIGN}domestica"):
        assert table.named(spelling) == (apple,)
    assert apple in table.labels("plants")
    duck = table.labels("birds")[110]
    assert duck is not None
    assert (duck.rank, duck.ancestor("genus")) == ("hybrid", "Anas")


def test_a_name_two_kingdoms_use_gives_both_with_their_lineage(table: TaxonTable) -> None:
    gannets, mulberries = table.named("morus")
    assert gannets.rank == mulberries.rank == "genus"
    assert {gannets.ancestor("family"), mulberries.ancestor("family")} == {"Sulidae", "Moraceae"}


def test_higher_taxa_are_taxa_too(table: TaxonTable) -> None:
    (birds,) = table.named("AVES")
    assert birds == Taxon(
        scientific_name="Aves",
        rank="class",
        lineage=(Ancestor("kingdom", "Animalia"), Ancestor("phylum", "Chordata")),
        vernacular_name="birds",
        gbif_key=212,
    )
    assert table.by_gbif_key(212) is birds
    finch = table.labels("birds")[0]
    assert finch is not None
    assert table.ancestor(finch, "class") is birds
    assert table.ancestor(birds, "family") is None
    assert table.ancestor(birds, "class") is None


def test_people_have_names_for_higher_taxa(table: TaxonTable) -> None:
    assert names(table.named("beetles")) == names(table.named("Käfer")) == ["Coleoptera"]
    assert names(table.named("Hawks, Eagles and Kites")) == ["Accipitridae"]
    (gulls,) = table.named("Laridae")
    assert table.vernacular_names(gulls, "en") == ("gulls and terns",)
    assert table.vernacular_names(gulls, "de") == ("Möwenverwandte", "Möwe")


def test_a_higher_taxon_that_the_table_lacks_is_known_by_its_name(table: TaxonTable) -> None:
    steps = (("kingdom", "Animalia"), ("phylum", "Chordata"), ("class", "Aves"))
    birds = tuple(Ancestor(*step) for step in steps)
    taught = Taxon(
        scientific_name="Antrostomus vociferus",
        rank="species",
        lineage=(*birds, Ancestor("genus", "Antrostomus")),
    )
    genus, birds_of_ours = table.ancestor(taught, "genus"), table.ancestor(taught, "class")
    assert genus == Taxon(scientific_name="Antrostomus", rank="genus", lineage=birds)
    assert birds_of_ours is not None
    assert birds_of_ours.gbif_key == 212
    assert table.ancestor(taught, "family") is None


def test_every_ancestor_of_every_taxon_is_in_the_table_once(table: TaxonTable) -> None:
    for taxon in table:
        for depth, entry in enumerate(taxon.lineage):
            higher = table.ancestor(taxon, entry.rank)
            assert higher is not None
            assert higher.scientific_name == entry.name
            assert higher.lineage == taxon.lineage[:depth]


def test_names_are_compared_without_case_accents_and_apostrophes(table: TaxonTable) -> None:
    assert names(table.named("annas HUMMINGBIRD")) == ["Calypte anna"]
    assert names(table.named("Scarlet rata vine")) == ["Metrosideros fulgens"]
    assert names(table.named("Blue Tit")) == ["Cyanistes caeruleus"]
    assert names(table.named("\N{FOX FACE}\N{VARIATION SELECTOR-16} fox\N{ZERO WIDTH SPACE}")) == [
        "Canidae"
    ]
    assert len(table.named("downy woodpecker")) == 2
    assert table.named("Passer domest") == ()
    assert table.named(" ") == ()


def test_suggestions_put_the_name_itself_first_then_beginnings_then_later_words(
    table: TaxonTable,
) -> None:
    assert names(table.suggest("parus"))[:2] == ["Parus", "Parus major"]
    robins = names(table.suggest("robi"))
    assert robins.index("Robinia pseudoacacia") < robins.index("Erithacus rubecula")
    assert "Metrosideros fulgens" in names(table.suggest("RATĀ v"))
    assert len(table.suggest("c")) == 25
    assert len(table.suggest("c", limit=7)) == 7
    assert table.suggest("") == ()


def test_a_name_that_ends_in_the_text_is_suggested_before_one_that_begins_with_it(
    table: TaxonTable,
) -> None:
    robins = names(table.suggest("robin"))
    assert robins.index("Erithacus rubecula") < robins.index("Robinia pseudoacacia")
    owls = names(table.suggest("owl"))
    assert owls[:2] == ["Strigiformes", "Tyto alba"]
    assert "Carex stipata" not in owls[:10]


def test_names_much_farther_off_than_the_nearest_are_left_out(table: TaxonTable) -> None:
    near = names(table.suggest("Parus majr"))
    assert near[0] == "Parus major"
    assert not {"Parus minor", "Persicaria lapathifolia", "Chaetodon auriga"} & set(near)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("snake", ["Squamata"]),
        ("frog", ["Anura"]),
        ("butterfly", ["Lepidoptera"]),
        ("owl", ["Strigiformes"]),
        ("oak", ["Quercus"]),
        ("spider", ["Araneae"]),
        ("mushroom", ["Agaricales"]),
        ("duck", ["Anatidae"]),
        ("grass", ["Poaceae"]),
        ("hedgehog", ["Erinaceidae"]),
        ("wolf", ["Canis lupus"]),
        ("honey bee", ["Apis mellifera"]),
        ("sparrow", ["Passerellidae", "Passeridae"]),
        ("pig", ["Sus scrofa"]),
        ("hemp", ["Cannabis sativa"]),
        ("pelican", ["Pelecanidae"]),
        ("toucan", ["Ramphastidae"]),
        ("caterpillars", ["Lepidoptera"]),
        ("mice", ["Muridae"]),
        ("geese", ["Anatidae"]),
        ("wolves", ["Canis lupus"]),
        ("house sparrows", ["Passer domesticus"]),
        ("Gänse", ["Anatidae"]),
        ("Mäuse", ["Muridae"]),
        ("Fliegen", ["Diptera"]),
        ("gorriones", ["Passeridae"]),
        ("chevaux", ["Equus caballus"]),
        ("muizen", ["Muridae"]),
        ("katten", ["Felidae"]),
        ("cães", ["Canidae"]),
        ("Murex", []),
        ("Euros", ["Macropus robustus"]),
        ("box", []),
        ("vaca", ["Bovidae"]),
        ("mariposa", ["Lepidoptera"]),
        ("Katze", ["Felidae"]),
        ("Pinguin", ["Sphenisciformes"]),
        ("chêne", ["Quercus"]),
        ("pomme de terre", ["Solanum tuberosum"]),
        ("ласточка", []),
        ("spring", []),
        ("jack", []),
    ],
)
def test_a_word_of_every_day_finds_what_people_mean_by_it(
    table: TaxonTable, typed: str, found: list[str]
) -> None:
    assert sorted(names(table.named(typed))) == found


@pytest.mark.parametrize(
    ("typed", "first", "called"),
    [
        ("butterflies", "Lepidoptera", "butterfly"),
        ("ducks", "Anatidae", "duck"),
        ("boobies", "Sulidae", "booby"),
        ("lions", "Panthera leo", "Lion"),
        ("parus", "Parus", "Parus"),
        ("deer", "Cervidae", "deer"),
    ],
)
def test_a_plural_is_offered_what_its_singular_is(
    table: TaxonTable, typed: str, first: str, called: str
) -> None:
    match, *_ = table.matches(typed)
    assert (match.taxon.scientific_name, match.name) == (first, called)


@pytest.mark.parametrize(
    ("typed", "locale", "found"),
    [
        ("ape", "it", "Hymenoptera"),
        ("ape", "de", "Primates"),
        ("ape", "en-GB", "Primates"),
        ("topo", "it", "Muridae"),
        ("topo", "es-ES", "Talpidae"),
        ("rana", "it", "Rana"),
        ("toro", "es-419", "Bos taurus"),
        ("toro", "en-US", "Myrsine salicina"),
        ("gato", "pt-BR", "Felidae"),
        ("chat", "fr", "Felidae"),
        ("chat", "en-US", "Felidae"),
    ],
)
def test_a_word_means_what_it_does_in_the_language_of_who_typed_it(
    table: TaxonTable, typed: str, locale: str, found: str
) -> None:
    assert names(table.named(typed, locale)) == [found]
    assert names(table.suggest(typed, locale=locale))[0] == found


def test_suggestions_may_be_of_a_rank(table: TaxonTable) -> None:
    for rank in ("kingdom", "genus", "species"):
        found = table.matches("c", ranks=(rank,))
        assert {match.taxon.rank for match in found} == {rank}
    assert names(table.suggest("owl"))[0] == "Strigiformes"
    assert table.matches("owl", ranks=("species",))[0].name == "Barn Owl"


def test_a_taxon_is_offered_by_the_name_that_leads_where_several_fit(table: TaxonTable) -> None:
    offered = {m.taxon.scientific_name: m.name for m in table.matches("pigeon", limit=50)}
    assert offered["Columba palumbus"] == "Common Wood-Pigeon"
    in_portuguese = table.matches("gato", locale="pt-BR")
    assert in_portuguese[0].taxon.scientific_name == "Felidae"


def test_no_species_is_found_by_the_word_for_a_group_of_another_class(table: TaxonTable) -> None:
    groups: defaultdict[str, list[Taxon]] = defaultdict(list)
    for taxon in table:
        if taxon.rank == "species" and taxon.vernacular_name:
            _, _, last = fold(taxon.vernacular_name).rpartition(" ")
            groups[last].append(taxon)
    for word, species in groups.items():
        for taxon in table.named(word):
            others = [other.ancestor("class") for other in species if other != taxon]
            elsewhere = [class_ for class_ in others if class_ != taxon.ancestor("class")]
            english = [fold(name) for name in table.vernacular_names(taxon, "en")]
            if taxon.rank == "species" and word in english[1:] and len(others) >= 3:
                assert 2 * len(elsewhere) <= len(others), (word, taxon.scientific_name)


def test_species_a_classifier_knows_are_suggested_before_others(table: TaxonTable) -> None:
    known = {taxon for s in ("birds", "insects", "plants") for taxon in table.labels(s) if taxon}
    from_classifiers = [taxon in known for taxon in table.suggest("great", limit=400)]
    beginnings = from_classifiers[: from_classifiers.index(False)]
    assert len(beginnings) > 10


@pytest.mark.parametrize(
    ("typed", "name", "found"),
    [
        ("blutit", "Eurasian Blue Tit", "Cyanistes caeruleus"),
        ("Pasus domesticus", "Passer domesticus", "Passer domesticus"),
        ("mesange bleue", "Mésange bleue", "Cyanistes caeruleus"),
        ("kohlmeise", "Kohlmeise", "Parus major"),
        ("house sparow", "House Sparrow", "Passer domesticus"),
        ("Maeusebussard", "Mäusebussard", "Buteo buteo"),
        ("monark buterfly", "Monarch Butterfly", "Danaus plexippus"),
        ("papilionide", "Papilionidae", "Papilionidae"),
    ],
)
def test_names_are_found_in_any_language_and_with_typos(
    table: TaxonTable, typed: str, name: str, found: str
) -> None:
    first, *_ = table.matches(typed)
    assert (first.name, first.taxon.scientific_name) == (name, found)


def test_a_name_half_typed_with_a_typo_is_found(table: TaxonTable) -> None:
    assert "Passer domesticus" in names(table.suggest("hosue spar"))[:3]
    assert "Troglodytes troglodytes" in names(table.suggest("zaunkonn"))[:3]


def test_who_began_a_name_rightly_is_not_offered_others(table: TaxonTable) -> None:
    assert names(table.suggest("cassin's fin")) == ["Haemorhous cassinii"]
    assert names(table.suggest("kohlmeise", locale="de")) == ["Parus major"]
    assert "Spheniscus demersus" in names(table.suggest("pinguin"))


def test_a_letter_may_stand_for_the_genus(table: TaxonTable) -> None:
    found = names(table.suggest("P. major"))
    assert found[:3] == ["Parus major", "Plantago major", "Podiceps major"]
    assert names(table.suggest("e rubec")) == ["Erithacus rubecula"]


def test_names_of_the_members_language_lead(table: TaxonTable) -> None:
    in_english = names(table.suggest("bus"))
    in_spanish = names(table.suggest("bus", locale="es-ES"))
    assert in_spanish.index("Buteo buteo") == 0
    assert "Buteo buteo" not in in_english[:5]


def test_a_name_of_another_language_counts_only_where_no_other_does(table: TaxonTable) -> None:
    assert names(table.named("Kohlmeise")) == ["Parus major"]
    assert {taxon.rank for taxon in table.named("Rana")} == {"genus"}


def test_a_taxon_has_names_in_many_languages(table: TaxonTable) -> None:
    (tit,) = table.named("Parus major")
    called = {locale: table.vernacular_names(tit, locale) for locale in ("de", "fr", "nl", "hi")}
    assert called == {
        "de": ("Kohlmeise",),
        "fr": ("Mésange charbonnière",),
        "nl": ("Koolmees",),
        "hi": (),
    }
    assert table.vernacular_names(tit, "es-419")[0] == "Carbonero común"
    assert table.vernacular_names(tit, "en-GB")[0] == tit.vernacular_name == "Great Tit"
    (caiman,) = table.named("Caiman crocodilus")
    assert table.vernacular_names(caiman, "pt-BR")[0] == "Jacaré-Tinga"


@pytest.mark.parametrize(
    ("species", "locale", "lead"),
    [
        ("Perca fluviatilis", "de", "Flussbarsch"),
        ("Helix pomatia", "de", "Weinbergschnecke"),
        ("Salmo trutta", "ru", "Кумжа"),
        ("Coris julis", "it", "Donzella"),
        ("Sphyraena barracuda", "es-ES", "Barracuda"),
    ],
)
def test_of_many_names_the_one_that_people_use_leads(
    table: TaxonTable, species: str, locale: str, lead: str
) -> None:
    (taxon,) = table.named(species)
    assert table.vernacular_names(taxon, locale)[0] == lead


def test_no_name_is_said_twice(table: TaxonTable) -> None:
    (tit,) = table.named("Parus major")
    shouted = replace(tit, vernacular_name="GREAT TIT")
    names = table.vernacular_names(shouted, "en")
    assert [name for name in names if name.casefold() == "great tit"] == ["GREAT TIT"]


def test_a_taxon_from_elsewhere_is_known_by_its_name_and_kingdom(table: TaxonTable) -> None:
    lineage = (Ancestor("kingdom", "Animalia"),)
    theirs = Taxon(scientific_name="Parus major", rank="species", lineage=lineage, col_key="6W5N")
    assert table.vernacular_names(theirs, "de") == ("Kohlmeise",)
    assert table.vernacular_names(theirs, "en-US")[0] == "Great Tit"
    plant = Taxon(scientific_name="Parus major", rank="species", vernacular_name="Fancy")
    assert table.vernacular_names(plant, "de") == ()
    assert table.vernacular_names(plant, "en") == ("Fancy",)
    (genus,) = table.named("Parus")
    assert table.vernacular_names(genus, "de") == ()


def test_what_was_made_of_an_older_table_is_this_tables_own(table: TaxonTable) -> None:
    (tit,) = table.named("Parus major")
    older = replace(tit, gbif_key=None, col_key=None, vernacular_name=None)
    for taxon in (tit, older, replace(older, lineage=()), replace(tit, lineage=tit.lineage[:1])):
        assert table.entry_of(taxon) is tit


def test_another_taxon_of_the_same_name_is_not_this_tables_own(table: TaxonTable) -> None:
    (tit,) = table.named("Parus major")
    plant = replace(tit, gbif_key=None, lineage=(Ancestor("kingdom", "Plantae"),))
    unheard_of = replace(tit, scientific_name="Parus imaginarius")
    for taxon in (replace(tit, gbif_key=1), plant, unheard_of):
        assert table.entry_of(taxon) is None
    homonyms = [taxon for taxon in table.named("Morus") if taxon.scientific_name == "Morus"]
    assert len(homonyms) == 2
    for homonym in homonyms:
        assert table.entry_of(replace(homonym, vernacular_name="Any")) is homonym
    either = replace(homonyms[0], gbif_key=None, lineage=())
    assert table.entry_of(either) is None


TYPED = st.text(max_size=40) | st.text(alphabet="abeiorst -x'", max_size=120)


@settings(deadline=None)
@given(TYPED, st.integers(-1, 60), st.sampled_from(["en", "de", "pt-BR", "", "x-y"]))
def test_any_text_may_be_looked_up(table: TaxonTable, text: str, limit: int, locale: str) -> None:
    suggested = table.suggest(text, limit, locale)
    assert len(suggested) == len(set(suggested)) <= max(0, limit)
    assert table.suggest(text, limit, locale) == suggested
    named = table.named(text)
    assert set(named) <= set(table.suggest(text, limit=10_000))
    assert fold(fold(text)) == fold(text)


@settings(deadline=None)
@given(data=st.data())
def test_the_name_itself_comes_first(table: TaxonTable, data: st.DataObject) -> None:
    taxon = data.draw(st.sampled_from([*table]))
    for name in filter(None, (taxon.scientific_name, taxon.vernacular_name)):
        assert table.suggest(name)[0] in table.named(name)
        assert taxon in table.suggest(name.upper())


def test_the_table_that_ships_is_read_once_a_process_and_any_other_anew() -> None:
    assert TaxonTable.load() is TaxonTable.load()
    assert TaxonTable.load(DEFAULT_PATH) is not TaxonTable.load(DEFAULT_PATH)


def test_a_cut_or_foreign_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole = DEFAULT_PATH.read_bytes()
    text = gzip.decompress(whole)
    bad = {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:],
        "empty": b"",
        "text": b"parent\trank\n",
        "other json": gzip.compress(b'{"format": "tiles"}\n'),
        "no header": gzip.compress(text.partition(b"\n")[2]),
        "rows lost": gzip.compress(text[: text.rindex(b"\n", 0, -1) + 1]),
        "cells lost": gzip.compress(text.replace(b"\tPasser\t", b"\t", 1)),
        "upside down": gzip.compress(text.replace(b"\n0\tphylum\t", b"\n9\tphylum\t", 1)),
        "letters": gzip.compress(text.replace(b"\t8255548\t", b"\tkey\t", 1)),
    }
    path = tmp_path / "taxa.tsv.gz"
    for case, data in bad.items():
        path.write_bytes(data)
        with pytest.raises(TaxonTableError, match="no taxon table, or a damaged one") as refusal:
            TaxonTable.load(path)
        assert "fieldmark taxa build" in str(refusal.value), case


def test_labels_that_the_head_does_not_count_are_refused(tmp_path: Path) -> None:
    text = gzip.decompress(DEFAULT_PATH.read_bytes())
    path = tmp_path / "taxa.tsv.gz"
    path.write_bytes(gzip.compress(text.replace(b'"birds": 965', b'"birds": 900', 1)))
    fewer = TaxonTable.load(path)
    assert len(fewer.labels("insects")) == 1022
    with pytest.raises(TaxonTableError, match=r"more labels of birds than it says: build it again"):
        fewer.labels("birds")


def test_a_missing_file_and_a_newer_version_say_so(tmp_path: Path) -> None:
    with pytest.raises(TaxonTableError, match="There is no taxon table at"):
        TaxonTable.load(tmp_path / "none.gz")
    newer = gzip.decompress(DEFAULT_PATH.read_bytes()).replace(b'"version": 1', b'"version": 2', 1)
    (tmp_path / "newer.gz").write_bytes(gzip.compress(newer))
    with pytest.raises(TaxonTableError, match="version 2"):
        TaxonTable.load(tmp_path / "newer.gz")
