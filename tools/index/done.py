"""What need not be embedded again, and what its source says of it now."""

from __future__ import annotations

from engine.index.segment import Reference
from engine.index.species_index import SpeciesIndex
from tools.index.spool import Spool
from tools.sources import SourcePhoto


class Done:
    """The identities that are in the spool, or in the index already.

    ``held`` counts those that were asked for and are in the index. ``otherwise`` holds what the
    index has of those that are now called otherwise, or are under another licence or author.
    """

    def __init__(self, spool: Spool, index: SpeciesIndex | None) -> None:
        self.held = 0
        self.otherwise: list[Reference] = []
        self._spool = spool
        self._index = index

    def __contains__(self, identity: object) -> bool:
        if identity in self._spool.done:
            return True
        if self._index is None or not isinstance(identity, str) or not self._index.holds(identity):
            return False
        self.held += 1
        return True

    def meet_again(self, item: SourcePhoto) -> None:
        """Compare what a photo that is done is labelled now; the spool takes that, too."""
        now = reference_of(item)
        if item.identity in self._spool.done:
            self._spool.relabel(now)
            return
        there = None if self._index is None else self._index.reference_to(item.identity)
        if there is not None and _said(there) != _said(now):
            self.otherwise.append(there)


def reference_of(item: SourcePhoto) -> Reference:
    """Return what an index keeps of a photo, which is not the photo."""
    return Reference(
        taxon=item.taxon,
        source=item.source,
        licence=item.licence,
        attribution=item.attribution,
        url=item.url,
        identity=item.identity,
    )


def _said(of: Reference) -> tuple[str, str, str, str | None]:
    """Return what people may have corrected; where the species belongs, others may know better."""
    return of.taxon.scientific_name, of.licence, of.attribution, of.url
