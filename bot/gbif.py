"""Ask GBIF about a taxon, through pygbif, without ever holding up the bot.

pygbif is synchronous, knows no time-out and no retry, and importing it loads matplotlib
and calls ``logging.basicConfig``. So it is imported at the first look-up, in one of the
client's four threads, and every answer has a deadline. The threads are the client's own:
those of ``asyncio.to_thread`` also resolve host names, which must go on while GBIF hangs.

Two things of each request are set through the ``auth=`` argument, which pygbif hands on
to requests and which may change a prepared request in any way: the ``User-Agent`` (GBIF
asks for a name and a contact) and, in tests, the server, since pygbif spells out
``https://api.gbif.org`` in the function. Nothing of pygbif is patched.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bot.gbif_answer import Match, NameAnswer, TaxonInfo
from engine import Taxon, TaxonTable

if TYPE_CHECKING:
    from requests import PreparedRequest

API = "https://api.gbif.org"
COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"
"""The checklist that is asked, always by name: pygbif's and the API's defaults differ."""

_TIMEOUT = (3.05, 10)
_RANKS_ASKED = frozenset({"kingdom", "phylum", "class", "order", "family", "genus", "species"})


class GbifUnavailable(Exception):
    """GBIF did not give a usable answer in time; the message says why."""


class GbifClient:
    """Look taxa up at GBIF, at most four at a time.

    Args:
        taxa: The local table. It tells homonyms apart and knows English names.
        contact: An address or URL where GBIF reaches whoever runs this bot.
        deadline_s: How long one look-up may take, waiting for a thread included.
        base_url: The server to ask; anything but the default is for tests.
    """

    def __init__(
        self, taxa: TaxonTable, *, contact: str = "", deadline_s: float = 4.0, base_url: str = API
    ) -> None:
        self._taxa = taxa
        self._deadline_s = deadline_s
        self._dress = partial(_dress, base_url=base_url, contact=contact)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="gbif")

    def close(self) -> None:
        """Take no more look-ups. Those under way end by themselves, at their time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def look_up(self, name: str, *, rank: str | None = None) -> TaxonInfo:
        """Return what GBIF knows under ``name``, a scientific name with or without author.

        A name that means one taxon in the local table is looked up as that taxon.

        Raises:
            GbifUnavailable: No usable answer came before the deadline.
        """
        known = [taxon for taxon in self._taxa.named(name) if rank in (None, taxon.rank)]
        if len(known) == 1:
            return await self.look_up_taxon(known[0])
        async with _deadline(self._deadline_s):
            answer = await self._ask(scientificName=name, taxonRank=_rank_asked(rank))
        return answer.info(name, rank, None, self._taxa)

    async def look_up_taxon(self, taxon: Taxon) -> TaxonInfo:
        """Return what GBIF knows of ``taxon``, or local data where it knows no such name.

        Raises:
            GbifUnavailable: No usable answer came before the deadline.
        """
        name, rank, kingdom = taxon.scientific_name, taxon.rank, taxon.ancestor("kingdom")
        asked = {"scientificName": name, "taxonRank": _rank_asked(rank), "kingdom": kingdom}
        async with _deadline(self._deadline_s):
            answer = await self._ask(**asked)
            if answer.several_match and (family := taxon.ancestor("family")):
                answer = await self._ask(**asked, family=family)
        info = answer.info(name, rank, kingdom, self._taxa)
        if info.match is Match.EXACT:
            return info
        if info.match is Match.VARIANT and info.taxon is not None:
            because = f"GBIF spells the nearest name {info.taxon.scientific_name}"
        else:
            because = "GBIF has no entry under exactly this name"
        return TaxonInfo.local(taxon, because)

    async def _ask(self, **parameters: str | None) -> NameAnswer:
        call = partial(_name_backbone, self._dress, parameters)
        raw = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return NameAnswer.model_validate(raw)
        except ValidationError as error:
            raise GbifUnavailable("GBIF answered something that is no name match.") from error


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise GbifUnavailable(f"GBIF did not answer within {seconds:g} s.") from error


def _rank_asked(rank: str | None) -> str | None:
    """Spell ``rank`` as GBIF does, leaving out those that the two do not mean alike."""
    return rank.upper() if rank in _RANKS_ASKED else None


def _dress(request: PreparedRequest, *, base_url: str, contact: str) -> PreparedRequest:
    """Put our name and contact on a request of pygbif, and our server into its address."""
    signature = f"Fieldmark ({contact})" if contact else "Fieldmark"
    request.headers["User-Agent"] = f"{signature} {request.headers['User-Agent']}"
    if request.url is not None:
        request.url = base_url + request.url.removeprefix(API)
    return request


def _name_backbone(dress: Any, parameters: dict[str, str | None]) -> Any:
    """Call pygbif in this thread, and make its many errors one."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from pygbif.gbifutils import NoResultException
    from pygbif.species import name_backbone

    try:
        return name_backbone(**parameters, checklistKey=COL_XR, timeout=_TIMEOUT, auth=dress)
    except (OSError, ValueError, KeyError, NoResultException) as error:
        # Not the error's own text: it holds the address, and so what a member typed.
        status = getattr(getattr(error, "response", None), "status_code", type(error).__name__)
        raise GbifUnavailable(f"GBIF could not be asked ({status}).") from error
