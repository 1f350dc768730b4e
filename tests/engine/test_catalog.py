"""The catalog: what ships, what a user's file may change, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from engine import catalog
from engine.catalog import CatalogInvalid, ModelEntry, UnknownModel, find_entry, load_catalog
from engine.contracts import Group
from engine.taxonomy.taxa import TaxonTable

OWLS = """
[owls]
title = "Owls"
group = "bird"
handle = "https://models.example.org/owls/2"
input_size = 299
licence = "CC0-1.0"
source = "https://models.example.org/owls"
version = "owls/2"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_ships_obeys_the_rules_of_a_users_file(tmp_path: Path) -> None:
    shipped = Path(catalog.__file__).with_name("catalog.toml").read_text(encoding="utf-8")
    assert dict(load_catalog(write(tmp_path, shipped))) == {
        name: entry
        if entry.local_folder is None
        else replace(entry, handle=str(tmp_path / "data/starter/model"))
        for name, entry in load_catalog().items()
    }


def test_the_rules_know_every_key_of_an_entry(tmp_path: Path) -> None:
    keys = ", ".join(f.name for f in fields(ModelEntry) if f.name != "name")
    with pytest.raises(CatalogInvalid) as refusal:
        load_catalog(write(tmp_path, "[birds]\nclases = 3"))
    assert str(refusal.value).endswith(f"its keys are {keys}.")


def test_the_starter_keeps_its_folder_where_only_another_key_changes(tmp_path: Path) -> None:
    changed = load_catalog(write(tmp_path, '[starter]\ntitle = "Ours"\n'))["starter"]
    assert changed == replace(load_catalog()["starter"], title="Ours")


def test_the_three_hub_classifiers_ship() -> None:
    catalog = load_catalog()
    classifiers = [e for e in catalog.values() if e.labels]
    assert {e.name: (e.group, e.classes, e.input_size) for e in classifiers} == {
        "birds": (Group.BIRD, 965, 224),
        "insects": (Group.INSECT, 1022, 224),
        "plants": (Group.PLANT, 2102, 224),
    }
    assert catalog["plants"].handle == "https://tfhub.dev/google/aiy/vision/classifier/plants_V1/1"


def test_each_entry_has_as_many_labels_as_classes() -> None:
    taxa = TaxonTable.load()
    for entry in load_catalog().values():
        if entry.labels is not None:
            assert len(taxa.labels(entry.labels)) == entry.classes


def test_the_feature_vectors_ship() -> None:
    widths = {e.name: e.features for e in load_catalog().values()}
    assert widths["inat_features"] == 2048
    assert widths["imagenet_features"] == widths["birds"] == 1280


@pytest.mark.parametrize("missing", ["labels", "classes"])
def test_labels_and_classes_go_together(tmp_path: Path, missing: str) -> None:
    keys = {"labels": '"birds"', "classes": "965"}
    keys.pop(missing)
    lines = [f"{key} = {value}" for key, value in keys.items()]
    with pytest.raises(CatalogInvalid, match=r"\[owls\]: labels and classes go together\."):
        load_catalog(write(tmp_path, "\n".join([OWLS, *lines])))


def test_a_network_must_answer_something(tmp_path: Path) -> None:
    with pytest.raises(CatalogInvalid, match="has labels and classes, or features, or all three"):
        load_catalog(write(tmp_path, OWLS))


def test_a_users_file_changes_single_keys(tmp_path: Path) -> None:
    path = write(tmp_path, "[birds]\nknown_threshold = 0.25\n")
    catalog = load_catalog(path)
    assert catalog["birds"].known_threshold == 0.25
    assert catalog["birds"].handle == load_catalog()["birds"].handle
    assert catalog["insects"] == load_catalog()["insects"]


def test_a_folder_in_a_users_file_is_relative_to_that_file(tmp_path: Path) -> None:
    catalog = load_catalog(write(tmp_path, '[birds]\nhandle = "nets/mine"\n'))
    assert catalog["birds"].local_folder == tmp_path / "nets" / "mine"
    assert catalog["insects"].local_folder is None


def test_a_users_file_adds_a_model(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [moths]
        title = "Moths"
        group = "insect"
        handle = "https://models.example.org/moths/2"
        input_size = 299
        labels = "insects"
        classes = 1022
        licence = "CC0-1.0"
        source = "https://models.example.org/moths"
        version = "moths/2"
        """,
    )
    catalog = load_catalog(path)
    assert list(catalog) == [*load_catalog(), "moths"]
    assert catalog["moths"].folder_name == "moths"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[birds]\nclases = 3", "'clases' is not a key of the catalog; its keys are title, group"),
        ("[birds]\nclasses = 1", "'classes' is 1, but input should be greater than or equal to 2"),
        ('[birds]\ngroup = "auto"', "'group' is 'auto', but a network answers for one group."),
        ('[birds]\ngroup = "fish"', "'group' is 'fish', but input should be 'auto', 'bird'"),
        ('[birds]\nlabels = "fish"', "'labels' is 'fish', but input should be 'birds'"),
        ("[birds]\ntemperature = nan", "'temperature' is nan, but"),
        ("[birds]\ntemperature = 0", "'temperature' is 0, but"),
        ("[birds]\ntemperature = true", "'temperature' is True, but"),
        ('[birds]\nchecksum = "12"', "'checksum' is '12', but"),
        ('[birds]\nfolders = ["../birds"]', "'folders.0' is '../birds', but"),
        ('[birds]\nname = "owls"', "remove 'name'"),
        ('["../owls"]\n', "[../owls]: 'name' is '../owls', but"),
        ('[owls]\ntitle = "Owls"', "[owls]: 'group' is missing."),
        ("birds = 3", "has 'birds' outside a table"),
        ("[birds", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CatalogInvalid) as refusal:
        load_catalog(path)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogInvalid, match="No such file"):
        load_catalog(tmp_path / "absent.toml")
    (tmp_path / "catalog.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogInvalid, match="not UTF-8"):
        load_catalog(tmp_path / "catalog.toml")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownModel, match="no model called 'owls'; there are: birds, insects"):
        find_entry(load_catalog(), "owls")
