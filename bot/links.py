"""Where things are found on the web: taxa, and the photos that a model learnt from."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from engine import Taxon

_MAX_LINK = 200
_HARMLESS = ":/?#@!$&'+,;=%"
"""What stays as it is in an address from a stranger; what Markdown reads is encoded."""

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


def photo_url(address: str | None) -> str | None:
    """Return an address of the web as it may stand in Markdown; None where it is no such."""
    if address is None:
        return None
    try:
        parts = urlsplit(address)
        named = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    link = quote(address, safe=_HARMLESS, errors="replace")
    return link if named and len(link) <= _MAX_LINK else None
