"""Teach the engine a species from a photo, and have it forget one again.

Kept of a photo: its vector, in the index, with its taxon and an identity that is drawn at random.
Nobody but the button below the card knows that: it says nothing of a member or a message.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field

from bot.errors import Refusal
from bot.identifier import Identifier
from bot.photos.intake import Photos
from bot.taxon.species import Species, SpeciesFinder
from engine import Group, ModelUnavailable, ReferencePhoto, Requester, Taxon, Ticket

_FROM_DISCORD = ReferencePhoto(source="discord", licence="", attribution="", url=None)
_IDENTITY_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A photo that was taught, or that is suggested to be.

    ``new`` is False where it was known already, and ``photos`` how many there are of its taxon,
    if that is known. ``preview`` is the photo as it may be shown, without metadata.
    """

    taxon: Taxon
    new: bool = True
    photos: int | None = None
    preview: bytes | None = field(default=None, repr=False)
    spoiler: bool = False
    notes: tuple[str, ...] = ()


def new_identity() -> str:
    """Return an identity for a photo: 11 letters, digits, ``-`` or ``_``."""
    return secrets.token_urlsafe(_IDENTITY_BYTES)


class Teacher:
    """Hands the engine photos of species by name."""

    def __init__(self, identifier: Identifier, finder: SpeciesFinder) -> None:
        self._identifier = identifier
        self.finder = finder

    async def find(
        self, typed: str, *, requester: Requester, locale: str = "en", spoiler: bool = False
    ) -> Species:
        """Return the species of a lesson, which is waited for from now on where the bot stops.

        A word of the language of ``locale`` goes before others.

        Raises:
            Refusal: as ``SpeciesFinder.find``; behind a ``spoiler`` if the photo is, since it
                repeats the name.
            EngineError: nothing could be learnt now.
        """
        self._identifier.check_room(requester)
        try:
            return await self.finder.find(typed, locale=locale)
        except Refusal as refusal:
            raise Refusal(f"||{refusal}||") if spoiler else refusal from None

    async def teach(
        self,
        species: Species,
        reading: Awaitable[Photos],
        identity: str,
        *,
        preview: bool = True,
        requester: Requester,
        ticket: Ticket | None = None,
    ) -> Taught:
        """Await the photo and have it learnt; the same ``identity`` again changes nothing.

        ``preview`` asks for the photo as it may be shown.

        Raises:
            Refusal: there is no acceptable photo, or no index to learn with.
            EngineError: as the engine's ``learn``.
        """
        photos = await reading
        try:
            learnt = await self._identifier.learn(
                photos.data[0],
                species.taxon,
                _FROM_DISCORD,
                identity=identity,
                preview=preview,
                requester=requester,
                ticket=ticket,
            )
        except ModelUnavailable as error:
            raise Refusal(str(error)) from error
        return Taught(
            taxon=species.taxon,
            new=learnt.new,
            photos=learnt.photos,
            preview=learnt.preview,
            spoiler=photos.spoiler,
            notes=(*species.notes, *photos.notes),
        )

    async def look_over(
        self,
        species: Species,
        reading: Awaitable[Photos],
        *,
        requester: Requester,
        ticket: Ticket | None = None,
    ) -> Taught:
        """Await the photo and check that it could be learnt, without learning it.

        Raises:
            Refusal: there is no acceptable photo, or no index to learn with.
            EngineError: as the engine's ``identify``.
        """
        photos = await reading
        try:
            seen = await self._identifier.identify(
                photos.data,
                Group.GENERIC,
                limit=1,
                preview=True,
                requester=requester,
                ticket=ticket,
            )
        except ModelUnavailable as error:
            raise Refusal(str(error)) from error
        return Taught(
            taxon=species.taxon,
            preview=seen.preview,
            spoiler=photos.spoiler,
            notes=(*species.notes, *photos.notes),
        )

    async def forget(self, identity: str, *, requester: Requester | None = None) -> bool:
        """Have the photo of this ``identity`` forgotten; tell whether it was there.

        Raises:
            EngineError: as the engine's ``forget``.
        """
        return await self._identifier.forget(identity, requester=requester)
