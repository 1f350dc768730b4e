"""A GBIF name matching on loopback, with answers by name, and questions to try it with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.loopback import on_loopback
from tools.keys.resolved import Question

NONE = {"diagnostics": {"matchType": "NONE", "confidence": 100}, "synonym": False}


def question(
    name: str, rank: str = "species", kingdom: str = "Animalia", family: str = "Paridae"
) -> Question:
    return Question(kingdom=kingdom, family=family, rank=rank, scientific_name=name)


def match(
    key: str,
    name: str,
    *,
    rank: str = "SPECIES",
    kingdom: str = "Animalia",
    family: str = "Paridae",
    match_type: str = "EXACT",
    status: str = "ACCEPTED",
) -> dict[str, Any]:
    """Write an answer of ``v2/species/match`` in the shape of the recorded ones."""
    lineage = [("1", kingdom, "KINGDOM"), ("9327", family, "FAMILY")]
    return {
        "usage": {
            "key": key,
            "name": f"{name} Linnaeus, 1758",
            "canonicalName": name,
            "rank": rank,
            "status": status,
        },
        "classification": [
            {"key": key, "name": name, "rank": rank} for key, name, rank in lineage if name
        ],
        "diagnostics": {"matchType": match_type, "confidence": 98},
        "synonym": status == "SYNONYM",
    }


@dataclass
class Matches:
    """Gives each name its answers in turn, the last for ever; others are unknown to it.

    An answer is a match, or a status and headers for one that is none.
    """

    url: str = ""
    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)

    def names_asked(self) -> list[str]:
        return [query["scientificName"] for query in self.asked]


@contextmanager
def serving() -> Iterator[Matches]:
    matches = Matches()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query))
            matches.asked.append(query)
            matches.agents.append(self.headers["User-Agent"])
            prepared = matches.answers.get(query["scientificName"], [NONE])
            answer = prepared.pop(0) if len(prepared) > 1 else prepared[0]
            status, headers = 200, {}
            if url.path != "/v2/species/match":
                status = 404
            elif isinstance(answer, tuple):
                status, headers = answer
            body = b"no" if isinstance(answer, tuple) else json.dumps(answer).encode()
            self.send_response(status)
            for header in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(*header)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with on_loopback(Handler) as address:
        matches.url = f"http://{address}"
        yield matches
