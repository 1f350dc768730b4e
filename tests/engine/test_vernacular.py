"""The list of vernacular names: locales, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.taxonomy.fact_file import FactFileError
from engine.taxonomy.vernacular import VERNACULAR_FILE, VernacularNames, is_written, language_of


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"),
        ("pt-BR", "pt"),
        ("zh-TW", "zh"),
        ("es_ES", "es"),
        ("sv-SE", "sv"),
        ("nb-NO", "no"),
        ("", ""),
    ],
)
def test_a_locale_is_of_a_language(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_the_first_name_of_a_language_leads(tmp_path: Path) -> None:
    path = tmp_path / "names.gz"
    rows = [("Parus major", "de", "Kohlmeise|Spiegelmeise"), ("Parus major", "fr", "Mésange")]
    path.write_bytes(VERNACULAR_FILE.pack(rows, {}))
    names = VernacularNames.load(path)
    assert names.spoken("Parus major", "de") == ("Kohlmeise", "Spiegelmeise")
    assert names.spoken("Parus major", "it") == ()
    assert names.spoken("Parus minor", "de") == ()
    assert list(names.of("Parus major")) == [
        ("de", "Kohlmeise"),
        ("de", "Spiegelmeise"),
        ("fr", "Mésange"),
    ]


@pytest.mark.parametrize(
    ("name", "language", "written"),
    [
        ("Лиса", "ru", True),
        ("Lisa", "ru", False),
        ("Lisa", "sr", True),
        ("Füchsin", "de", True),
        ("Лиса", "de", True),
        ("カラス", "ja", True),
        ("すずめ", "ja", True),
        ("雀", "ja", True),
        ("Suzume", "ja", False),
        ("DNA 鳥", "zh", True),
        ("참새", "ko", True),
        ("นก", "th", True),
        ("ثعلب", "ar", True),
        ("\N{ARABIC LETTER BEH FINAL FORM}\N{ARABIC LETTER ALEF ISOLATED FORM}", "ar", False),
        ("روباه", "fa", True),
        ("Αλεπού", "el", True),
        ("Alepou", "el", False),
        ("12", "el", False),
    ],
)
def test_a_name_is_written_in_the_script_of_its_language(
    name: str, language: str, *, written: bool
) -> None:
    assert is_written(name, language) is written


def test_transcriptions_are_searched_but_not_spoken(tmp_path: Path) -> None:
    path = tmp_path / "names.gz"
    rows = [
        ("Vulpes vulpes", "ru", "Lisitsa|Лисица|Лиса"),
        ("Vulpes lagopus", "ru", "Pesets"),
        ("Vulpes vulpes", "sr", "Lisica"),
    ]
    path.write_bytes(VERNACULAR_FILE.pack(rows, {}))
    names = VernacularNames.load(path)
    assert names.spoken("Vulpes vulpes", "ru") == ("Лисица", "Лиса")
    assert names.spoken("Vulpes lagopus", "ru") == ()
    assert names.spoken("Vulpes vulpes", "sr") == ("Lisica",)
    assert (names.count("ru"), names.count("sr"), names.count("de")) == (1, 1, 0)
    assert ("ru", "Pesets") in list(names.of("Vulpes lagopus"))


def test_a_damaged_list_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "names.gz"
    path.write_bytes(VERNACULAR_FILE.pack([("Parus major", "de")], {}))
    with pytest.raises(FactFileError, match="no list of vernacular names, or a damaged one"):
        VernacularNames.load(path)
    with pytest.raises(FactFileError, match="build one with `fieldmark taxa names`"):
        VernacularNames.load(tmp_path / "none.gz")
