"""Hand-written answers of GBIF in a folder like that of the recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.gbif.client import BACKBONE
from tools.keys.recorded_usages import INDEX

API = "https://api.gbif.org"
MATCH = f"{API}/v1/species/match?name=x"
SEARCH = f"{API}/v1/species/search?q=x"
SUGGEST = f"{API}/v1/species/suggest?q=x"
OCCURRENCES = f"{API}/v1/occurrence/search?limit=2"
COL_XR = "7ddf754f-d193-4cc9-b351-99906754a03b"

_KEYS = {"Animalia": 1, "Plantae": 6, "Chordata": 44, "Arthropoda": 54, "Aves": 212}
LINEAGE = {"kingdom": "Animalia", "phylum": "Chordata", "class": "Aves", "order": "Passeriformes"}


def columns(**names: str) -> dict[str, Any]:
    """Write the columns of a lineage; a name may carry its key: ``Passer=2492321``."""
    fields: dict[str, Any] = {}
    for rank, text in names.items():
        name, _, key = text.partition("=")
        fields[rank] = name
        if key or name in _KEYS:
            fields[f"{rank}Key"] = int(key) if key else _KEYS[name]
    return fields


def bird(**names: str) -> dict[str, Any]:
    return columns(**(LINEAGE | names))


def usage(key: int, name: str, rank: str, **other: Any) -> dict[str, Any]:
    """Write a record of ``v1/species`` of the backbone."""
    own = {"key": key, "nubKey": key, "canonicalName": name, "rank": rank}
    return {"datasetKey": BACKBONE, "taxonomicStatus": "ACCEPTED"} | own | other


def occurrence(checklists: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Write an occurrence; ``checklists`` has the steps of its classification in each."""
    record: dict[str, Any] = {"basisOfRecord": "HUMAN_OBSERVATION", **other}
    if checklists is not None:
        steps = {key: {"classification": found} for key, found in checklists.items()}
        record["classifications"] = steps
    return record


def step(rank: str, name: str, key: str) -> dict[str, str]:
    return {"rank": rank, "name": name, "key": key}


def record(folder: Path, *answers: tuple[str, Any], **entry: Any) -> Path:
    """Write ``answers`` (address and body; bytes as they are) and their index into ``folder``."""
    folder.mkdir(exist_ok=True)
    index = []
    for number, (uri, body) in enumerate(answers):
        name = f"{number}.json"
        (folder / name).write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        about = {"status": 200, "recorded": "2025-11-13 08:08:17"} | entry
        index.append({"file": name, "uri": uri, **about})
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return folder
