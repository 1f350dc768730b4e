"""Discord's own OpenAPI document as a judge of every request and every answer.

``jsonschema`` comes with the development tools; it is imported only where a document is
given, so that the sandbox runs unjudged without it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from tools.sandbox.people import Json

_URI = "urn:discord:openapi"


@dataclass(frozen=True, slots=True)
class Violation:
    """One point where an exchange leaves the specification.

    An event has its name for a method and no path. ``pointer`` is the JSON pointer of the
    offending value in the body; empty for the whole.
    """

    direction: Literal["request", "answer", "event"]
    method: str
    path: str
    pointer: str
    message: str

    def __str__(self) -> str:
        where = f" at {self.pointer}" if self.pointer else ""
        return f"{self.direction} {self.method} {self.path}{where}: {self.message}"


def _corrected(document: Json) -> Json:
    """Close every object and widen what Discord and discord.py do beyond the document.

    The document leaves objects open, which would let a misspelt field pass.
    """
    schemas = document["components"]["schemas"]
    in_parts = {"ErrorResponse", "RatelimitedResponse", "Error"}
    for name, schema in schemas.items():
        if name not in in_parts:
            _close(schema)
    schemas["SnowflakeType"]["type"] = ["string", "integer"]  # discord.py sends integers
    for name, field in (
        ("ApplicationCommandUpdateRequest", "nsfw"),  # documented, missing from the document
        ("ApplicationCommandCreateRequest", "nsfw"),
        ("MessageEditRequestPartial", "tts"),  # discord.py repeats it in edits
        ("IncomingWebhookUpdateRequestPartial", "tts"),
        ("IncomingWebhookUpdateForInteractionCallbackRequestPartial", "tts"),
    ):
        schemas[name]["properties"][field] = {"type": "boolean"}
    # Forwards are documented; the document knows replies alone.
    schemas["MessageReferenceType"]["oneOf"].append({"title": "FORWARD", "const": 1})
    schemas["RichEmbed"]["properties"]["flags"] = {"type": ["integer", "null"]}
    for received in ("url", "proxy_url", "size", "width", "height", "content_type", "spoiler"):
        # discord.py names a file to keep by all it knows of it.
        schemas["MessageAttachmentRequest"]["properties"].setdefault(received, {})
    for name in ("RichEmbedImage", "RichEmbedThumbnail", "RichEmbedAuthor", "RichEmbedFooter"):
        # discord.py sends an embed it received back as it came.
        for received in ("proxy_url", "proxy_icon_url", "width", "height", "flags"):
            schemas[name]["properties"].setdefault(received, {})
    # The codes of single fields are names ("BASE_TYPE_REQUIRED"), not numbers.
    schemas["InnerErrors"]["properties"]["_errors"]["items"] = {
        "type": "object",
        "properties": {"code": {"type": ["string", "integer"]}, "message": {"type": "string"}},
        "required": ["code", "message"],
        "additionalProperties": False,
    }
    return document


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for item in schema:
            _close(item)
    elif isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            _close(value)


class Judge:
    """Compare exchanges with an OpenAPI document.

    Args:
        path: The ``openapi.json`` to judge by.

    Raises:
        ModuleNotFoundError: ``jsonschema`` is not installed.
        OSError: The document cannot be read.
    """

    def __init__(self, path: Path) -> None:
        import jsonschema  # type: ignore[import-untyped]  # noqa: F401 -- missing? say so now

        self._document = _corrected(json.loads(path.read_text(encoding="utf-8")))
        self._validators: dict[str, Any] = {}
        # A literal part ("@me", "@original") goes before a variable one.
        self._paths = sorted(
            (
                (template, re.compile(re.sub(r"\\\{[^/]+?\\\}", "([^/]+)", re.escape(template))))
                for template in self._document["paths"]
            ),
            key=lambda item: item[0].count("{"),
        )

    @cached_property
    def _registry(self) -> Any:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT202012

        resource = Resource.from_contents(self._document, default_specification=DRAFT202012)
        return Registry().with_resource(_URI, resource)

    def request(
        self, method: str, path: str, query: dict[str, str], payload: Any
    ) -> list[Violation]:
        """Name what is wrong with a request.

        Args:
            method: The HTTP method.
            path: The path below ``/api/v10``.
            query: The query, undecoded texts.
            payload: The JSON body or ``payload_json``; None where there is none.
        """
        template, operation = self._operation(method, path)
        if operation is None:
            return [Violation("request", method, path, "", "the specification has no such path")]
        problems = self._query_problems(template, method, query)
        content = operation.get("requestBody", {}).get("content", {})
        kind = "application/json" if "application/json" in content else next(iter(content), "")
        if payload is None:
            if operation.get("requestBody", {}).get("required"):
                problems.append(("", "a body is required"))
        elif not content:
            problems.append(("", "no body is expected"))
        else:
            pointer = _pointer("paths", template, method.lower(), "requestBody", "content", kind)
            problems += self._body_problems(pointer, payload)
        return [Violation("request", method, path, at, text) for at, text in problems]

    def answer(self, method: str, path: str, status: int, body: Any) -> list[Violation]:
        """Name what is wrong with an answer; ``body`` is None for 204 No Content."""
        template, operation = self._operation(method, path)
        if operation is None:
            return []
        responses = operation["responses"]
        key = next((k for k in (str(status), f"{status // 100}XX") if k in responses), None)
        if key is None:
            return (
                []
                if status >= 500
                else [
                    Violation(
                        "answer", method, path, "", f"status {status} is not in the specification"
                    )
                ]
            )
        response, pointer = (
            responses[key],
            _pointer("paths", template, method.lower(), "responses", key),
        )
        if "$ref" in response:
            pointer = response["$ref"].removeprefix("#")
            response = self._document["components"]["responses"][pointer.rsplit("/", 1)[1]]
        if "content" not in response:
            problems = [] if body is None else [("", "no body is expected")]
        else:
            problems = self._body_problems(f"{pointer}/content/application~1json", body)
        return [Violation("answer", method, path, at, text) for at, text in problems]

    def event(self, name: str, message: Json) -> list[Violation]:
        """Name what is wrong with a message that the gateway dispatches."""
        bare = {key: value for key, value in message.items() if key not in ("guild_id", "member")}
        schema = {"$ref": f"{_URI}#/components/schemas/MessageResponse"}
        return [
            Violation("event", name, "", _at(error), error.message[:500])
            for error in self._validate(schema, bare)
        ]

    def _operation(self, method: str, path: str) -> tuple[str, Json | None]:
        for template, pattern in self._paths:
            if pattern.fullmatch(path) and method.lower() in self._document["paths"][template]:
                operation: Json = self._document["paths"][template][method.lower()]
                return template, operation
        return "", None

    def _query_problems(
        self, template: str, method: str, query: dict[str, str]
    ) -> list[tuple[str, str]]:
        entry = self._document["paths"][template]
        known = {
            parameter["name"]: parameter["schema"]
            for parameter in (
                *entry.get("parameters", ()),
                *entry[method.lower()].get("parameters", ()),
            )
            if parameter.get("in") == "query"
        }
        problems = []
        for name, text in query.items():
            if name not in known:
                problems.append((f"?{name}", "the specification has no such parameter"))
                continue
            schema = known[name]
            if "$ref" in schema:
                schema = {"$ref": f"{_URI}{schema['$ref']}"}
            problems += [
                (f"?{name}", error.message)
                for error in self._validate(schema, _typed(text, schema))
            ]
        return problems

    def _body_problems(self, pointer: str, body: Any) -> list[tuple[str, str]]:
        schema = {"$ref": f"{_URI}#{pointer}/schema"}
        return [(_at(error), error.message[:500]) for error in self._validate(schema, body)]

    def _validate(self, schema: Json, value: Any) -> list[Any]:
        from jsonschema import Draft202012Validator

        key = json.dumps(schema)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(schema, registry=self._registry)
        return [
            cause for error in self._validators[key].iter_errors(value) for cause in _causes(error)
        ]


@cache
def judge(path: Path) -> Judge:
    """Return the judge by the document at ``path``, read once for all sandboxes of a process."""
    return Judge(path)


def _causes(error: Any) -> list[Any]:
    """Go down to what is wrong in the alternative that was meant: the one whose type fits."""
    alternatives: dict[int, list[Any]] = {}
    for nested in error.context:
        alternatives.setdefault(nested.schema_path[0], []).append(nested)
    if not alternatives:
        return [error]

    def distance(problems: list[Any]) -> tuple[bool, int]:
        return any(
            list(p.path) in ([], ["type"]) and p.validator in ("type", "enum") for p in problems
        ), len(problems)

    nearest = min(alternatives.values(), key=distance)
    return [cause for problem in nearest for cause in _causes(problem)]


def _at(error: Any) -> str:
    return "/" + "/".join(str(part) for part in error.absolute_path)


def _pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def _typed(text: str, schema: Json) -> Any:
    """Read a query's text as the type its schema wants."""
    kinds = schema.get("type")
    if kinds == "integer" and text.lstrip("-").isdigit():
        return int(text)
    if kinds == "boolean" and text.lower() in ("true", "false", "0", "1"):
        return text.lower() in ("true", "1")
    return text
