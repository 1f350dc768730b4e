"""``fieldmark eval`` and ``calibrate`` on labelled photos, and the scores they are made of."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from engine import Ancestor, Candidate, Group, Identification, Taxon, TaxonTable, Verdict
from engine.networks.classifier import sharpen
from tests.hub_modules import HubModules
from tools.calibrate import fit_temperature, fit_threshold
from tools.cli import app
from tools.manifest import LabelledPhoto, ManifestInvalid, read_references
from tools.scoring import Answered, agreement, expected_calibration_error
from tools.verdict_scores import Judged, is_right, score_verdicts

COLUMNS = ["path", "split", "group", "scientific_name", "label_set", "label_index"]
# What each photo shows, and what its label says: one green bird is labelled wrongly.
ROWS = [
    ("red", "birds", "Haemorhous cassinii", "bird", 0),
    ("lime", "birds", "Aramus guarauna", "bird", 1),
    ("lime", "birds", "Cyanocitta cristata", "bird", 3),
    ("red", "insects", "Nicrophorus tomentosus", "insect", 0),
    ("grey", "negatives", "", "", ""),
]


def write_photos(folder: Path, split: str, rows: list[tuple[object, ...]]) -> None:
    with (folder / "MANIFEST.csv").open("a", newline="") as file:
        writer = csv.writer(file)
        for number, (colour, group, name, label_set, index) in enumerate(rows):
            path = f"{split}-{number}.png"
            Image.new("RGB", (100, 100), str(colour)).save(folder / path)
            for _ in range(2):  # a file that is listed twice counts once
                writer.writerow([path, split, group, name, label_set, index])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "MANIFEST.csv").write_text(",".join(COLUMNS) + "\n")
    write_photos(tmp_path, "test", list(ROWS))
    write_photos(tmp_path, "train", [*ROWS[:2]] * 6)
    return tmp_path


def run(hub_modules: HubModules, photos: Path, *words: str) -> Result:
    options = ["--models", str(hub_modules.no_plants), "--home", str(photos / "home")]
    return CliRunner().invoke(app, [words[0], str(photos), *words[1:], *options])


def test_accuracy_by_group(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "eval", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    birds = report["groups"]["birds"]["known_species"]
    assert (birds["photos"], birds["top1"]) == (3, pytest.approx(2 / 3, abs=1e-3))
    assert birds["standard_error"] == pytest.approx((2 / 9 / 3) ** 0.5, abs=1e-3)
    assert report["groups"]["negatives"]["unknown_species"] == {"photos": 1, "said_unknown": 1.0}
    every = report["every_photo"]
    assert (every["photos"], every["unknown_species"]) == (5, 1)
    assert 0 < every["ece"] < 1
    confusion = {"taxon": "Cyanocitta cristata", "taken_for": "Aramus guarauna", "photos": 1}
    assert confusion in report["confusions"]


def test_one_group_asks_only_its_own_photos(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "eval", "--group", "insect")
    assert result.exit_code == 0, result.stderr
    assert "insects" in result.stdout
    assert "birds │" not in result.stdout


def test_two_precisions_are_compared(
    hub_modules: HubModules, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDMARK_ENGINE__PRECISION", "f32")
    result = run(hub_modules, photos, "eval", "--group", "bird", "--json", "--against", "bf16")
    agreement = json.loads(result.stdout)["agreement"]
    assert (agreement["with"], agreement["photos"]) == ("bf16", 3)
    assert agreement["top1_agreement"] == 1.0


def test_two_runtimes_are_compared(hub_modules: HubModules, photos: Path) -> None:
    options = ("--group", "bird", "--json", "--runtime", "openvino", "--against", "tensorflow")
    agreement = json.loads(run(hub_modules, photos, "eval", *options).stdout)["agreement"]
    assert (agreement["with"], agreement["photos"]) == ("tensorflow", 3)
    assert agreement["top1_agreement"] == 1.0


def test_a_photo_that_only_one_run_could_use_is_not_compared() -> None:
    def answered(name: str, probability: float) -> Answered:
        photo = LabelledPhoto(
            path=Path(name), group="birds", scientific_name="", label_set=None, taxon=None
        )
        candidate = Candidate(taxon=ROBIN, probability=probability, model="birds")
        answer = Identification(
            candidates=(candidate,),
            verdict=None,
            group=Group.BIRD,
            known=True,
            known_score=1.0,
            models=(),
            timings_ms={},
        )
        return Answered(photo=photo, answer=answer)

    first = [answered("a.jpg", 0.9), answered("lost.jpg", 0.2), answered("b.jpg", 0.8)]
    second = [answered("a.jpg", 0.9), answered("b.jpg", 0.7)]
    compared = agreement(first, second)
    assert compared["photos"] == 2
    assert compared["greatest_difference"] == pytest.approx(0.1)


def test_a_run_is_not_compared_with_itself(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "eval", "--group", "bird", "--against", "openvino")
    assert result.exit_code == 1
    assert "there is nothing to compare" in result.stderr


def test_only_the_networks_that_answer_are_compared(hub_modules: HubModules, photos: Path) -> None:
    # Of all three, OpenVINO takes the birds and not the plants, which nobody asks.
    options = ["--models", str(hub_modules.folder), "--home", str(photos / "home")]
    words = ["eval", str(photos), "--group", "bird", "--against", "openvino", *options]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "Both runs compute in openvino" in result.stderr


def test_a_certainty_without_verdicts_is_refused(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "eval", "--certainty", "0.7")
    assert result.exit_code == 2
    assert "add --verdict" in result.stderr


def test_names_with_brackets_are_printed_as_they_are(hub_modules: HubModules, photos: Path) -> None:
    odd = photos / "[new] photos[" / "i]"
    shutil.copytree(photos, odd)
    with (odd / "MANIFEST.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["test-0.png", "odd", "[/b]", "", "bird", 1])
    result = run(hub_modules, odd, "eval", "--split", "odd")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"odd photos of {odd}, models: ")
    assert "│ [/b]" in result.stdout


def test_verdicts_are_scored_at_each_certainty(hub_modules: HubModules, photos: Path) -> None:
    options = ["--verdict", "--certainty", "0.7", "--certainty", "1"]
    result = run(hub_modules, photos, "eval", *options, "--json")
    assert result.exit_code == 0, result.stderr
    lenient, strict = json.loads(result.stdout)["verdicts"]
    assert lenient["certainty"] == 0.7
    assert lenient["groups"]["birds"]["known_species"] == {
        "photos": 3,
        "right": 0.6667,
        "wrong": 0.3333,
        "none": 0.0,
        "right_if_any": 0.6667,
        "species_level": 1.0,
    }
    nothing = {
        "photos": 1,
        "species": 0,
        "species_level": 0.0,
        "mean_over_species": None,
        "none": 1.0,
    }
    assert lenient["groups"]["negatives"]["unknown_species"] == nothing
    assert lenient["groups"]["all"]["known_species"]["photos"] == 4
    assert lenient["groups"]["all"]["unknown_species"] is None
    assert strict["groups"]["birds"]["known_species"]["species_level"] == 0


def test_a_stranger_of_many_photos_counts_no_more_than_another_in_the_mean_over_species() -> None:
    named = Verdict(taxon=ROBIN, probability=0.9)
    judged = [
        Judged(
            photo=LabelledPhoto(
                path=Path(f"{name}.jpg"),
                group="birds",
                scientific_name=name,
                label_set=None,
                taxon=None,
            ),
            truth=None,
            verdicts=(verdict,),
        )
        for name, verdict in [*[("Luscinia luscinia", named)] * 3, ("Turdus merula", None)]
    ]
    (score,) = score_verdicts(judged, [0.85])
    strangers = score["groups"]["birds"]["unknown_species"]
    assert (strangers["photos"], strangers["species"]) == (4, 2)
    assert (strangers["species_level"], strangers["mean_over_species"]) == (0.75, 0.5)


def test_a_verdict_at_another_certainty_is_the_engines_own(
    hub_modules: HubModules, photos: Path
) -> None:
    both = run(
        hub_modules, photos, "eval", "--verdict", "--json", "--certainty=0.7", "--certainty=0.98"
    )
    alone = run(hub_modules, photos, "eval", "--verdict", "--json", "--certainty=0.98")
    assert json.loads(both.stdout)["verdicts"][1] == json.loads(alone.stdout)["verdicts"][0]


def test_verdicts_as_tables(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "eval", "--verdict")
    assert result.exit_code == 0, result.stderr
    assert "0.667 │ 0.333" in result.stdout
    both = run(hub_modules, photos, "eval", "--verdict", "--against", "tensorflow")
    assert both.exit_code == 2
    assert "leave out one of the two" in both.stderr


ROBIN = Taxon(
    scientific_name="Erithacus rubecula",
    rank="species",
    lineage=(
        Ancestor("kingdom", "Animalia"),
        Ancestor("class", "Aves"),
        Ancestor("genus", "Erithacus"),
    ),
)
ANIMALIA = ROBIN.lineage[:1]


@pytest.mark.parametrize(
    ("rank", "name", "lineage", "right"),
    [
        ("species", "Erithacus rubecula", ROBIN.lineage, True),
        ("genus", "Erithacus", ROBIN.lineage[:2], True),
        ("class", "Aves", ANIMALIA, True),
        ("kingdom", "Animalia", (), True),
        ("species", "Luscinia luscinia", ROBIN.lineage, False),
        ("genus", "Luscinia", ROBIN.lineage[:2], False),
        ("genus", "Erithacus", (Ancestor("kingdom", "Plantae"),), False),
        ("subspecies", "Erithacus rubecula melophilus", ROBIN.lineage, False),
    ],
)
def test_a_verdict_is_right_at_any_rank_of_the_truth(
    rank: str, name: str, lineage: tuple[Ancestor, ...], right: bool
) -> None:
    verdict = Taxon(scientific_name=name, rank=rank, lineage=lineage)
    assert is_right(verdict, ROBIN) is right


def test_the_species_of_a_subspecies_is_right() -> None:
    melophilus = Taxon(
        scientific_name="Erithacus rubecula melophilus",
        rank="subspecies",
        lineage=(*ROBIN.lineage, Ancestor("species", "Erithacus rubecula")),
    )
    assert is_right(ROBIN, melophilus)
    assert is_right(melophilus, melophilus)


def test_a_missing_manifest_or_split_is_one_sentence(hub_modules: HubModules, photos: Path) -> None:
    nothing = run(hub_modules, photos, "eval", "--split", "valid")
    assert nothing.exit_code == 2
    assert "no photos of the split 'valid'; it has: test, train." in nothing.stderr
    (photos / "MANIFEST.csv").unlink()
    missing = run(hub_modules, photos, "eval")
    assert missing.exit_code == 2
    assert "give a folder that has a MANIFEST.csv" in missing.stderr


def test_photos_that_cannot_be_used_are_left_out_and_counted(
    hub_modules: HubModules, photos: Path
) -> None:
    with (photos / "MANIFEST.csv").open("a", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["cut.png", "test", "birds", "Haemorhous cassinii", "bird", 0])
        rows.writerow(["gone.png", "test", "birds", "Haemorhous cassinii", "bird", 0])
        rows.writerow(["test-0.png", "other", "birds", "Haemorhous cassinii", "bird", 0])
        rows.writerow(["red.png", "test", "birds", "Parus major", "bird", 0])
    whole = (photos / "test-0.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    result = run(hub_modules, photos, "eval", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["left_out"] == 3
    assert report["groups"]["birds"]["known_species"]["photos"] == 3
    assert f"Left out {photos / 'cut.png'}: This photo is damaged or cut off." in result.stderr
    assert f"Left out {photos / 'gone.png'}: There is no such file." in result.stderr
    assert f"Left out {photos / 'red.png'}: label and name disagree." in result.stderr
    table = run(hub_modules, photos, "eval", "--verdict")
    assert "3 left out" in " ".join(table.stdout.split())


def test_nothing_is_measured_without_one_usable_photo(
    hub_modules: HubModules, photos: Path
) -> None:
    for path in photos.glob("test-*.png"):
        path.write_bytes(b"no photo")
    result = run(hub_modules, photos, "eval")
    assert result.exit_code == 1
    assert "Not one of the photos can be used." in result.stderr


def test_nothing_is_measured_where_every_label_and_name_disagree(
    hub_modules: HubModules, photos: Path
) -> None:
    write_photos(photos, "mixed up", [("red", "birds", "Vulpes vulpes", "bird", 3)])
    sentence = "has no photo of the split 'mixed up' that can be used"
    for command in ("eval", "calibrate"):
        result = run(hub_modules, photos, command, "--split", "mixed up")
        assert result.exit_code == 2, result.output
        assert sentence in result.stderr
    with pytest.raises(ManifestInvalid, match=sentence):
        read_references(photos, "mixed up", TaxonTable.load())


def test_a_group_without_photos_is_not_measured(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "eval", "--group", "plant")
    assert result.exit_code == 2
    assert "None of these photos are of the group 'plants'" in result.stderr


@pytest.mark.parametrize("index", ["", "seven", "99999", "-1"])
def test_a_label_that_is_none_is_told_with_its_photo(
    hub_modules: HubModules, photos: Path, index: str
) -> None:
    with (photos / "MANIFEST.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["odd.png", "test", "birds", "Parus major", "bird", index])
    for command in ("eval", "calibrate"):
        result = run(hub_modules, photos, command, "--split", "test")
        assert result.exit_code == 2
        assert f"gives odd.png the label_index {index!r}, which is none of bird's" in result.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"path,split,caf\xe9\n", "it is not in UTF-8: save it as UTF-8 CSV."),
        (b"path,split\n", "lacks the columns 'group', 'scientific_name', 'label_set'"),
        (",".join(COLUMNS).encode(), "lists no photos"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_one_sentence(
    hub_modules: HubModules, photos: Path, content: bytes, sentence: str
) -> None:
    (photos / "MANIFEST.csv").write_bytes(content)
    result = run(hub_modules, photos, "eval")
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_manifest_may_begin_as_spreadsheets_write_it(
    hub_modules: HubModules, photos: Path
) -> None:
    path = photos / "MANIFEST.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert run(hub_modules, photos, "eval", "--json").exit_code == 0


def test_calibrate_leaves_out_what_it_cannot_read(hub_modules: HubModules, photos: Path) -> None:
    (photos / "train-0.png").write_bytes(b"no photo")
    result = run(hub_modules, photos, "calibrate", "--split", "train")
    assert result.exit_code == 0, result.stderr
    assert "birds: 11 photos" in result.stdout
    assert f"Left out {photos / 'train-0.png'}: I can't read this file" in result.stderr


def test_networks_are_studied_without_what_cannot_be_read(
    hub_modules: HubModules, photos: Path
) -> None:
    with (photos / "MANIFEST.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["gone.png", "test", "birds", "Aramus guarauna", "bird", 1])
    options = ["--models", str(hub_modules.no_plants), "--home", str(photos / "home")]
    words = ["study", "networks", str(photos), "--split", "test", *options]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    said = f"Left out {photos / 'gone.png'}: It cannot be read: No such file or directory."
    assert result.stderr.splitlines() == [said]  # and no bar


def test_a_group_without_photos_has_no_share(hub_modules: HubModules, photos: Path) -> None:
    options = ["--models", str(hub_modules.no_plants), "--home", str(photos / "home")]
    words = ["study", "networks", str(photos), "--split", "train", *options]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert re.search(r"whole photo\s+│ 1.000 │ -", result.stdout)


def test_nothing_is_calibrated_without_a_network(
    hub_modules: HubModules, photos: Path, tmp_path: Path
) -> None:
    options = ["--models", str(hub_modules.colours), "--home", str(photos / "home")]
    result = CliRunner().invoke(app, ["calibrate", str(photos), *options])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No network was calibrated" in result.stderr


def test_calibrate_prints_the_catalogs_lines(hub_modules: HubModules, photos: Path) -> None:
    result = run(hub_modules, photos, "calibrate", "--split", "train")
    assert result.exit_code == 0, result.stderr
    assert "birds: 12 photos" in result.stdout
    assert "temperature = " in result.stdout
    assert "known_threshold = " in result.stdout
    assert "insects: only 0 photos" in result.stderr


def test_the_temperature_that_was_applied_is_found() -> None:
    random = np.random.default_rng(7)
    honest = random.dirichlet(np.full(5, 0.4), size=4000)
    labels = np.array([random.choice(5, p=row) for row in honest])
    assert fit_temperature(sharpen(honest, 2.0), labels) == pytest.approx(0.5, abs=0.03)


def test_the_threshold_keeps_97_percent() -> None:
    assert fit_threshold(np.linspace(0, 1, 1001), 0.97) == pytest.approx(0.03)


def test_calibration_error_is_the_gap_between_words_and_deeds() -> None:
    assert expected_calibration_error([(0.8, True)] * 8 + [(0.8, False)] * 2) == pytest.approx(0)
    assert expected_calibration_error([(0.8, True)] * 5 + [(0.8, False)] * 5) == pytest.approx(0.3)
    assert expected_calibration_error([(0.8, True), (0.8, False)], [4, 1]) == pytest.approx(0)
