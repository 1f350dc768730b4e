"""Where labelled photos come from: folders, iNaturalist's data sets, GBIF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from engine import TaxonTable
from tools.sources.folder import FolderSource
from tools.sources.gbif import GbifSource
from tools.sources.inat2021 import Inat2021Source
from tools.sources.inat_open_data import OpenDataSource
from tools.sources.source import Progress, Source, SourceError, SourcePhoto

__all__ = ["KINDS", "Progress", "Source", "SourceError", "SourcePhoto", "open_source"]

_SOURCES: Mapping[str, Callable[..., Source]] = {
    "folder": FolderSource,
    "inat2021": Inat2021Source,
    "inat-open-data": OpenDataSource,
    "gbif": GbifSource,
}
KINDS = tuple(_SOURCES)
"""The kinds of source that can be opened."""


def open_source(kind: str, *, taxa: TaxonTable, **options: Any) -> Source:
    """Open a source of labelled photos, one of ``KINDS``.

    ``options`` are those of the kind's class: ``FolderSource``, ``Inat2021Source``,
    ``OpenDataSource``, ``GbifSource``.

    Raises:
        SourceError: there is no such kind, an option does not fit it, or the source cannot
            be used.
    """
    if kind not in _SOURCES:
        raise SourceError(f"There is no source {kind!r}: choose one of {', '.join(KINDS)}.")
    opener = _SOURCES[kind]
    try:
        signature(opener).bind(taxa=taxa, **options)
    except TypeError as error:
        raise SourceError(f"The source {kind} cannot be opened so: {error}.") from error
    return opener(taxa=taxa, **options)
