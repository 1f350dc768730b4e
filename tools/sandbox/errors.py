"""Discord's refusals, with its own HTTP statuses and JSON error codes."""

from __future__ import annotations

from tools.sandbox.form import Problems
from tools.sandbox.people import Json

# What reading a body of the wrong shape raises: a text where an object should be lacks the
# object's methods, and a number may be too great for an id (JSON's 1e999 is infinite).
WRONG_SHAPE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class ApiError(Exception):
    """A request Discord would refuse.

    Args:
        status: The HTTP status.
        code: Discord's JSON error code; 0 for a general one.
        message: The sentence of the answer.
        errors: Per-field details of an invalid form.
    """

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def payload(self) -> Json:
        """Return the answer's JSON body."""
        body: Json = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        return body


def unauthorized() -> ApiError:
    """Refuse a missing or wrong token."""
    return ApiError(401, 0, "401: Unauthorized")


def no_such_route() -> ApiError:
    """Refuse a path the sandbox does not serve."""
    return ApiError(404, 0, "404: Not Found")


def unknown(kind: str) -> ApiError:
    """Refuse an id nothing answers to; ``kind`` is Discord's name of the thing."""
    code = {
        "Application": 10002,
        "Channel": 10003,
        "Guild": 10004,
        "Member": 10007,
        "Message": 10008,
        "User": 10013,
        "Webhook": 10015,
        "Interaction": 10062,
        "Application Command": 10063,
    }[kind]
    text = "Unknown interaction" if kind == "Interaction" else f"Unknown {kind}"
    return ApiError(404, code, text)


def missing_access() -> ApiError:
    """Refuse a place the bot cannot see."""
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    """Refuse what the bot's permissions do not allow."""
    return ApiError(403, 50013, "Missing Permissions")


def empty_message() -> ApiError:
    """Refuse a message that would show nothing."""
    return ApiError(400, 50006, "Cannot send an empty message")


def too_large() -> ApiError:
    """Refuse an upload above the limit."""
    return ApiError(413, 40005, "Request entity too large")


def already_acknowledged() -> ApiError:
    """Refuse a second answer to one interaction."""
    return ApiError(400, 40060, "Interaction has already been acknowledged.")


def invalid_form(problems: Problems) -> ApiError:
    """Refuse a body whose fields break a rule."""
    errors: Json = {}
    for path, (code, message) in problems.items():
        node = errors
        for part in path.split("."):
            node = node.setdefault(part, {})
        node.setdefault("_errors", []).append({"code": code, "message": message})
    return ApiError(400, 50035, "Invalid Form Body", errors)
