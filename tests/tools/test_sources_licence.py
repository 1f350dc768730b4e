"""Licences: every spelling that is met, and nothing that is not plainly one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.sources.licence import OPEN_TERMS, Licence, Terms, licence_of, terms_named

SPELLINGS = {
    # GBIF's records, its media, its enumeration
    "http://creativecommons.org/licenses/by/4.0/legalcode": "CC BY 4.0",
    "http://creativecommons.org/licenses/by/4.0/": "CC BY 4.0",
    "https://creativecommons.org/licenses/by/3.0/us/": "CC BY 3.0",
    "https://creativecommons.org/licenses/by/4.0/deed.en": "CC BY 4.0",
    "http://creativecommons.org/licenses/by-nc-nd/4.0/": "CC BY-NC-ND 4.0",
    "http://creativecommons.org/publicdomain/zero/1.0/legalcode": "CC0 1.0",
    "http://creativecommons.org/publicdomain/mark/1.0/": "Public domain 1.0",
    "CC_BY_4_0": "CC BY 4.0",
    "CC_BY_NC_4_0": "CC BY-NC 4.0",
    "CC0_1_0": "CC0 1.0",
    "Creative Commons Attribution 4.0 International": "CC BY 4.0",
    "Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)": "CC BY-NC 4.0",
    "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)": "CC BY 4.0",
    "This work is licensed under a Creative Commons Attribution 4.0 License.": "CC BY 4.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0 1.0",
    "Creative Commons Zero v1.0 Universal": "CC0 1.0",
    # iNaturalist's open data and its API
    "CC0": "CC0",
    "CC-BY": "CC BY",
    "CC-BY-NC": "CC BY-NC",
    "CC-BY-SA": "CC BY-SA",
    "CC-BY-ND": "CC BY-ND",
    "CC-BY-NC-SA": "CC BY-NC-SA",
    "PD": "Public domain",
    "cc-by": "CC BY",
    "no rights reserved": "CC0",
    # SPDX
    "CC-BY-NC-SA-4.0": "CC BY-NC-SA 4.0",
}
NO_LICENCE = [
    None,
    "",
    "   ",
    "UNSPECIFIED",
    "All rights reserved",
    "CC",
    "by",
    "NC",
    "CC NC",
    "CC BY-NC-ND-SA",
    "CC BY or CC0",
    "CC0, CC BY",
    "not CC BY",
    "Metadata CC0, photo (c) Naturalis",
    "CC BY, except for commercial use",
    "CC BY NonCommercialOnly",
    "https://example.org/licenses/by/4.0/",
    "https://creativecommons.org/licenses/by/4.0/ http://creativecommons.org/licenses/by-nc/4.0/",
    "CC BY http://creativecommons.org/licenses/by-nc/4.0/",
    "https://creativecommons.org/licenses/by/4.0/ for the data, not the pictures",
    "CC BY 3.0, 4.0",
]


@pytest.mark.parametrize(("text", "name"), SPELLINGS.items())
def test_spellings_are_read(text: str, name: str) -> None:
    assert str(licence_of(text)) == name
    assert str(licence_of(f" {text.upper()}\n")) == name


@pytest.mark.parametrize("text", NO_LICENCE)
def test_what_is_not_plainly_a_licence_is_none(text: str | None) -> None:
    assert licence_of(text) is None


@given(
    st.lists(
        st.sampled_from(["CC", "BY", "NC", "non-commercial", "Share Alike", "4.0", "license"])
    ),
    st.lists(st.sampled_from(["CC", "BY", "attribution", "1.0", "universal", "CC0"])),
    st.sampled_from(["NC", "nd", "SA", "non commercial", "NoDerivs", "not", "except", "naturalis"]),
    st.sampled_from([" ", "-", "_", "  ", "/", ", "]),
)
def test_a_condition_anywhere_never_yields_an_open_licence(
    before: list[str], after: list[str], condition: str, separator: str
) -> None:
    licence = licence_of(separator.join([*before, condition, *after]))
    assert licence is None or licence.terms not in OPEN_TERMS


@given(st.text(max_size=40) | st.text(alphabet="cC0byBYnc-_ 4./:", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    licence = licence_of(text)
    assert licence is None or licence_of(str(licence)) == licence


def test_terms_are_named_as_licences_are() -> None:
    assert terms_named(["cc0", "CC-BY"]) == OPEN_TERMS
    assert licence_of("CC BY 4.0") == Licence(Terms.BY, "4.0")
    with pytest.raises(ValueError, match="no licence 'GPL'"):
        terms_named(["CC BY", "GPL"])
