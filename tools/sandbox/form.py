"""What can be wrong with one field of a body, in Discord's own names and sentences."""

from __future__ import annotations

from urllib.parse import urlsplit

Problem = tuple[str, str]
"""Discord's name of a rule and its sentence."""

Problems = dict[str, Problem]
"""What is wrong, by the dotted path of the field (``embeds.0.title``)."""

REQUIRED: Problem = ("BASE_TYPE_REQUIRED", "This field is required")
_NO_ADDRESS: Problem = ("URL_TYPE_INVALID_URL", "Not a well formed URL.")


def too_long(most: int) -> Problem:
    """Name a text or a list of more than ``most``."""
    return "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length."


def bad_length(most: int) -> Problem:
    """Name a text or a list that is empty or of more than ``most``."""
    return "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length."


def is_blank(text: str | None) -> bool:
    """Whether nothing is left of a text without the white space around it, which Discord drops."""
    return not (text or "").strip()


def address_problem(url: str, schemes: tuple[str, ...], *, most: int) -> Problem | None:
    """Name what is wrong with an address, if anything.

    Args:
        url: The address.
        schemes: The schemes allowed.
        most: The most characters allowed.
    """
    if len(url) > most:
        return too_long(most)
    try:
        parts = urlsplit(url)
    except ValueError:
        return _NO_ADDRESS
    if parts.scheme not in schemes:
        return (
            "URL_TYPE_INVALID_SCHEME",
            f'Scheme "{parts.scheme}" is not supported. Scheme must be one of {schemes}.',
        )
    return None if parts.netloc else _NO_ADDRESS
