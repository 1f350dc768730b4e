"""What taxa are called in the languages of people, by the local table alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from engine import Taxon, TaxonTable


class LocalNames:
    """Names of ``taxa`` in the languages of those who read them."""

    def __init__(self, taxa: TaxonTable) -> None:
        self._taxa = taxa
        self._preparing: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Have the names of the local table ordered, once, in a thread; return when they are.

        It takes a second or so, for which whoever asks for a name must wait, and nobody else.
        """
        if self._preparing is None:
            self._preparing = asyncio.create_task(asyncio.to_thread(self._taxa.prepare_search))
        await asyncio.shield(self._preparing)

    async def leading(self, taxa: Iterable[Taxon], language: str | None) -> Mapping[Taxon, str]:
        """Return what taxa are called in ``language``; those without a name in it are left out.

        Those, and all where there is no language, are called by their own name, which is English: a
        third language on a card would be one that hardly anybody there reads.
        """
        if language in (None, "en"):
            return {}
        await self.prepare()
        named = ((taxon, self._taxa.vernacular_names(taxon, language)) for taxon in taxa)
        return {taxon: names[0] for taxon, names in named if names}

    def by_language(
        self,
        usages: Sequence[Taxon],
        languages: Sequence[str],
        others: Mapping[str, Sequence[str]],
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the names of a taxon in each of ``languages``, and after them ``others``, once.

        ``usages`` are the taxon and its synonyms, whose names follow in that order. The local
        names were looked through, and GBIF's were not. Capitals make no other name.
        """
        joined = {}
        for language in dict.fromkeys(languages):
            own = [
                name for taxon in usages for name in self._taxa.vernacular_names(taxon, language)
            ]
            kept: dict[str, str] = {}
            for name in (*own, *others.get(language, ())):
                kept.setdefault(name.casefold(), name)
            joined[language] = tuple(kept.values())
        return joined

    async def species_named_in(self, language: str) -> int:
        """Return how many species have a name in ``language``, English apart."""
        await self.prepare()
        return self._taxa.species_named_in(language)
