"""Where a taxon is found on the web."""

from __future__ import annotations

from urllib.parse import quote

from engine import Taxon

_SITE = "https://www.gbif.org"


def taxon_url(taxon: Taxon) -> str:
    """Return the address of the GBIF page on ``taxon``.

    The integer key comes first because it is stable and GBIF redirects it to today's page;
    a Catalogue of Life key has a page of its own. A taxon without either gets a search for
    its exact name, since a guessed page could be another taxon's.
    """
    if taxon.gbif_key is not None:
        return f"{_SITE}/species/{taxon.gbif_key}"
    if taxon.col_key is not None:
        return f"{_SITE}/taxon/{quote(taxon.col_key, safe='', errors='replace')}"
    exact_name = quote(f'"{taxon.scientific_name}"', safe="", errors="replace")
    return f"{_SITE}/species/search?q={exact_name}"
