"""From photos to one reply: read them, have them identified, and set the answer as a message."""

from __future__ import annotations

import io
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import discord

from bot.cards import identification_card, identification_text
from bot.errors import sentence
from bot.features.remove import removable
from bot.headline import MAX_CANDIDATES, Names
from bot.identifier import Identifier
from bot.options.place import ANYWHERE, FROM_PHOTO
from bot.photos.intake import Photos
from bot.place import CANDIDATES, Place, Places
from bot.readers import Readers
from bot.store import Store
from bot.taxon.local_names import LocalNames
from engine import (
    CERTAINTY,
    EngineError,
    Group,
    Identification,
    Requester,
    Taxon,
    Ticket,
)

log = logging.getLogger(__name__)

PHOTO_IN_CARD = "attachment://photo.jpg"
"""Where a card finds the photo that is attached to its message."""

_NO_GPS = "The photo carries no coordinates, or none near land, so no place was used."
_GPS_NOT_READ = "The photo's GPS could not be looked up just now, so no place was used."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request came to: an identification, or the sentence that says why there is none."""

    identification: Identification | None = None
    sentence: str = ""
    notes: tuple[str, ...] = ()
    spoiler: bool = False
    place: Place | None = None
    names: Names = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A message ready to be sent or to replace one that was sent."""

    content: str | None = None
    embed: discord.Embed | None = None
    file: discord.File | None = None
    view: discord.ui.View | None = None

    def to_send(self) -> dict[str, Any]:
        """Return the arguments of a ``send`` or ``reply``."""
        parts = {
            "content": self.content,
            "embed": self.embed,
            "file": self.file,
            "view": self.view,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def to_edit(self) -> dict[str, Any]:
        """Return the arguments of an ``edit``, which also clear what was there before."""
        return {
            "content": self.content,
            "embeds": [self.embed] if self.embed is not None else [],
            "attachments": [self.file] if self.file is not None else [],
            "view": self.view,
        }


class Answerer:
    """Identifies photos as the server wants it in which they were posted."""

    def __init__(
        self, identifier: Identifier, store: Store, places: Places, names: LocalNames
    ) -> None:
        self._identifier = identifier
        self._store = store
        self._places = places
        self._names = names

    async def answer(
        self,
        read: Callable[[], Awaitable[Photos]],
        group: Group,
        *,
        requester: Requester,
        readers: Readers,
        where: str | None = None,
        preview: bool = False,
        ticket: Ticket | None = None,
    ) -> Answer:
        """Read the photos and identify them; turn any failure into its sentence.

        Where too many wait already, that is said at once, and nothing is downloaded.
        Taxa are named in the language of ``readers``, or the one their server has chosen.
        ``where`` goes before the place that it has chosen: the code of one, ``FROM_PHOTO`` for
        where the photos' own GPS says, ``ANYWHERE`` for no place.
        """
        place = None
        try:
            chosen = await self._store.settings_of(requester.server)
            where = where or chosen.country or ANYWHERE
            certainty = CERTAINTY if chosen.certainty is None else chosen.certainty
            if where != ANYWHERE:
                self._places.prepare()
            self._identifier.check_room(requester)
            photos = await read()
            identification = await self._identifier.identify(
                photos.data,
                group,
                limit=MAX_CANDIDATES if where == ANYWHERE else CANDIDATES,
                preview=preview,
                certainty=certainty,
                requester=requester,
                ticket=ticket,
            )
            notes = photos.notes
            by_gps = where == FROM_PHOTO
            if by_gps:
                where, said = await self._country_of(photos.data, requester)
                notes = (*notes, *said)
            if where != ANYWHERE:
                identification, place = await self._places.weigh(
                    identification, where, certainty=certainty, by_gps=by_gps
                )
            names = await self._names.leading(
                _taxa_of(identification), readers.language(chosen.language)
            )
        except Exception as error:  # noqa: BLE001 - the shared surface logs what is unexpected
            return Answer(sentence=sentence(error))
        return Answer(
            identification=identification,
            notes=notes,
            spoiler=photos.spoiler,
            place=place,
            names=names,
        )

    async def _country_of(
        self, photos: Sequence[bytes], requester: Requester
    ) -> tuple[str, tuple[str, ...]]:
        """Return the country that the photos' GPS says, or ``ANYWHERE`` and what to say of that."""
        try:
            for photo in photos:
                country = await self._identifier.country_of(photo, requester=requester)
                if country is not None:
                    return country, ()
        except EngineError as error:
            log.warning("A photo's GPS was not taken into account: %s", error)
            return ANYWHERE, (_GPS_NOT_READ,)
        return ANYWHERE, (_NO_GPS,)


def render(
    answer: Answer,
    permissions: discord.Permissions,
    *,
    asker_id: int | None,
    source_url: str | None = None,
) -> Rendered:
    """Set ``answer`` as well as ``permissions`` allow, and say what they do not.

    ``asker_id`` is who may remove the message; None leaves the button away, which is right
    for messages that only the asker sees.
    """
    view = None if asker_id is None else removable(asker_id)
    identification = answer.identification
    if identification is None:
        return Rendered(content=answer.sentence, view=view)
    if not permissions.embed_links:
        note = "I may not embed links here, so this is the plain form of the card."
        text = identification_text(
            identification,
            notes=(*answer.notes, note),
            spoiler=answer.spoiler,
            place=answer.place,
            names=answer.names,
        )
        return Rendered(content=text, view=view)
    notes = answer.notes
    if identification.preview is not None and not permissions.attach_files:
        notes = (*notes, "I may not attach files here, so the photo is not shown.")
    embed = identification_card(
        identification,
        notes=notes,
        spoiler=answer.spoiler,
        source_url=source_url,
        place=answer.place,
        names=answer.names,
    )
    file = None
    if identification.preview is not None and permissions.attach_files:
        file = echo(identification.preview, embed, spoiler=answer.spoiler)
    return Rendered(embed=embed, file=file, view=view)


def echo(preview: bytes, embed: discord.Embed, *, spoiler: bool) -> discord.File:
    """Attach the preview: inside the card, or hidden beside it, as an embed can hide nothing."""
    if not spoiler:
        embed.set_image(url=PHOTO_IN_CARD)
    return photo_file(preview, spoiler=spoiler)


def photo_file(preview: bytes, *, spoiler: bool) -> discord.File:
    """Make a file of the preview, hidden if it is a spoiler."""
    return discord.File(io.BytesIO(preview), filename="photo.jpg", spoiler=spoiler)


def _taxa_of(identification: Identification) -> list[Taxon]:
    taxa = [candidate.taxon for candidate in identification.candidates]
    return taxa if identification.verdict is None else [identification.verdict.taxon, *taxa]
