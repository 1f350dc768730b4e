"""The list of vernacular names: locales, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.fact_file import FactFileError
from engine.vernacular import VERNACULAR_FILE, VernacularNames, language_of


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


def test_a_damaged_list_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "names.gz"
    path.write_bytes(VERNACULAR_FILE.pack([("Parus major", "de")], {}))
    with pytest.raises(FactFileError, match="no list of vernacular names, or a damaged one"):
        VernacularNames.load(path)
    with pytest.raises(FactFileError, match="build one with `fieldmark taxa names`"):
        VernacularNames.load(tmp_path / "none.gz")
