"""What species are called in the languages of people: ``engine/data/vernacular.tsv.gz``.

The English name that leads on a card is the taxon table's own; this file has the names
in other languages, and further English ones, for those species that have some. It is
read only by who asks for such a name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from engine.taxonomy.fact_file import FactFile

VERNACULAR_FILE = FactFile(
    format="fieldmark-vernacular",
    version=1,
    columns=("scientific_name", "language", "names"),
    title="list of vernacular names",
    command="fieldmark taxa names",
)
"""``language`` is a BCP 47 language subtag; ``names`` are split by ``|``, the first leads."""

DEFAULT_VERNACULAR_PATH = Path(__file__).parents[1] / "data" / "vernacular.tsv.gz"

# Norway's two written languages; what is said to be one of them is also called Norwegian.
_SAME_LANGUAGE = {"nb": "no", "nn": "no"}

# What Unicode calls the letters of languages that are written in one script other than Latin, or,
# as Japanese is, in some together. Serbian and its like, written in either of two, take any name.
_LETTERS = {
    **dict.fromkeys(("ar", "fa", "ps", "ur"), ("ARABIC LETTER",)),
    **dict.fromkeys(("be", "bg", "ky", "mk", "ru", "tg", "uk"), ("CYRILLIC",)),
    **dict.fromkeys(("hi", "mr", "ne"), ("DEVANAGARI LETTER",)),
    **dict.fromkeys(("as", "bn"), ("BENGALI LETTER",)),
    **dict.fromkeys(("am", "ti"), ("ETHIOPIC SYLLABLE",)),
    **dict.fromkeys(("he", "yi"), ("HEBREW LETTER",)),
    **dict.fromkeys(("yue", "zh"), ("CJK",)),
    "dv": ("THAANA LETTER",),
    "el": ("GREEK",),
    "gu": ("GUJARATI LETTER",),
    "hy": ("ARMENIAN",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ka": ("GEORGIAN LETTER",),
    "km": ("KHMER LETTER",),
    "kn": ("KANNADA LETTER",),
    "ko": ("HANGUL",),
    "lo": ("LAO LETTER",),
    "ml": ("MALAYALAM LETTER",),
    "my": ("MYANMAR LETTER",),
    "or": ("ORIYA LETTER",),
    "si": ("SINHALA LETTER",),
    "ta": ("TAMIL LETTER",),
    "te": ("TELUGU LETTER",),
    "th": ("THAI CHARACTER",),
}
# "FINAL FORM" and its like are Arabic letters as a printer sets them, mostly in reverse order.
_SET_FOR_PRINT = " FORM"


def language_of(locale: str) -> str:
    """Return the language of a locale as the file spells it: ``pt`` for ``pt-BR``."""
    language = locale.replace("_", "-").partition("-")[0].casefold()
    return _SAME_LANGUAGE.get(language, language)


def is_written(name: str, language: str) -> bool:
    """Tell whether ``name`` has a letter of the script of ``language``.

    What has none is a transcription, or a name of another language. A language that is
    written in Latin letters, or in several scripts, takes any name.
    """
    letters = _LETTERS.get(language)
    if letters is None:
        return True
    called = (unicodedata.name(letter, "") for letter in name if letter.isalpha())
    return any(c.startswith(letters) and not c.endswith(_SET_FOR_PRINT) for c in called)


class VernacularNames:
    """The names of every species and of some higher taxa in every language, immutable."""

    def __init__(self, names: dict[str, dict[str, tuple[str, ...]]]) -> None:
        self._names = names

    @classmethod
    def load(cls, path: Path = DEFAULT_VERNACULAR_PATH) -> VernacularNames:
        """Read the names that come with the engine, or the file at ``path``.

        Raises:
            FactFileError: The file is missing, cut short, damaged, or something else.
        """
        _, lines = VERNACULAR_FILE.read(path)
        names: dict[str, dict[str, tuple[str, ...]]] = {}
        try:
            for line in lines:
                scientific_name, language, called = line.split("\t")
                names.setdefault(scientific_name, {})[language] = tuple(called.split("|"))
        except ValueError as error:
            raise VERNACULAR_FILE.damaged(path) from error
        return cls(names)

    def spoken(self, scientific_name: str, language: str) -> tuple[str, ...]:
        """Return what the species is called in ``language``, if the file says; the first leads.

        Names that are not written as the language is are left out: see ``is_written``.
        """
        called = self._names.get(scientific_name, {}).get(language, ())
        return tuple(name for name in called if is_written(name, language))

    def count(self, language: str) -> int:
        """Return how many species have a name in ``language``, as ``spoken`` tells it."""
        # Those of higher taxa are of one word.
        return sum(" " in taxon and bool(self.spoken(taxon, language)) for taxon in self._names)

    def of(self, scientific_name: str) -> Iterator[tuple[str, str]]:
        """Yield every language and name of the species, transcriptions too: people search them."""
        for language, called in self._names.get(scientific_name, {}).items():
            yield from ((language, name) for name in called)
