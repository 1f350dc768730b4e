"""Why GBIF did not help: one family of errors, so that a caller may catch any or one of them."""

from __future__ import annotations


class GbifUnavailable(Exception):
    """GBIF did not give a usable answer in time; the message says why.

    ``transient`` says that the same question may be answered in a moment, ``retry_after``
    in how many seconds, where GBIF said so.
    """

    def __init__(
        self, reason: str, *, transient: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.transient = transient
        self.retry_after = retry_after


class GbifBusy(GbifUnavailable):
    """GBIF asks to be left alone for a while (429, 503)."""


class GbifNonsense(GbifUnavailable):
    """An answer came, and it is not one: another type of content, cut short, or misshapen."""


class GbifRefused(GbifUnavailable):
    """GBIF is well and does not accept the question (400 and its kin)."""


class GbifNotFound(GbifRefused):
    """GBIF is well and has no such thing (404)."""
