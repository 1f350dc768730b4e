"""What taxa are called for those who read an answer, in the language that their server chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.readers import Readers
from bot.store import Store
from bot.taxon.local_names import LocalNames
from engine import Taxon


class Naming:
    """Names taxa as the readers of an answer do, by the local table and what servers chose."""

    def __init__(self, names: LocalNames, store: Store) -> None:
        self._names = names
        self._store = store

    async def languages(self, readers: Readers, server: int | None) -> tuple[str, ...]:
        """Return the readers' languages, the most of them first; ``server`` is where they are."""
        chosen = await self._store.settings_of(server)
        return readers.languages(chosen.language)

    async def called(
        self, taxa: Iterable[Taxon], readers: Readers, server: int | None
    ) -> Mapping[Taxon, str]:
        """Return what taxa are called in the language of most readers; see ``LocalNames``."""
        chosen = await self._store.settings_of(server)
        return await self._names.leading(taxa, readers.language(chosen.language))
