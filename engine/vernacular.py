"""What species are called in the languages of people: ``engine/data/vernacular.tsv.gz``.

The English name that leads on a card is the taxon table's own; this file has the names
in other languages, and further English ones, for those species that have some. It is
read only by who asks for such a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.fact_file import FactFile

VERNACULAR_FILE = FactFile(
    format="fieldmark-vernacular",
    version=1,
    columns=("scientific_name", "language", "names"),
    title="list of vernacular names",
    command="fieldmark taxa names",
)
"""``language`` is a BCP 47 language subtag; ``names`` are split by ``|``, the first leads."""

DEFAULT_VERNACULAR_PATH = Path(__file__).with_name("data") / "vernacular.tsv.gz"

# Norway's two written languages; what is said to be one of them is also called Norwegian.
_SAME_LANGUAGE = {"nb": "no", "nn": "no"}


def language_of(locale: str) -> str:
    """Return the language of a locale as the file spells it: ``pt`` for ``pt-BR``."""
    language = locale.replace("_", "-").partition("-")[0].casefold()
    return _SAME_LANGUAGE.get(language, language)


class VernacularNames:
    """The names of every species in every language, immutable."""

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
        """Return what the species is called in ``language``, if the file says; the first leads."""
        return self._names.get(scientific_name, {}).get(language, ())

    def count(self, language: str) -> int:
        """Return how many species have a name in ``language``."""
        return sum(language in called for called in self._names.values())

    def of(self, scientific_name: str) -> Iterator[tuple[str, str]]:
        """Yield every language and name of the species."""
        for language, called in self._names.get(scientific_name, {}).items():
            yield from ((language, name) for name in called)
