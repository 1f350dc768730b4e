"""The engine's values as JSON, for the way between a worker and the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.contracts import (
    Coordinates,
    EngineError,
    EngineFailed,
    Group,
    Identification,
    Learnt,
    ModelInfo,
    ModelUnavailable,
    OperatorError,
    PhotoRejected,
    ReferencePhoto,
    Taxon,
)
from engine.settings import EngineSettings
from engine.workers.channel import Message
from engine.workers.plain import (
    plain_coordinates,
    plain_identification,
    plain_learnt,
    plain_model,
    plain_reference,
    plain_taxon,
    taxon_of,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_PATHS = ("home", "models_dir", "catalog", "index")
_Models = tuple[ModelInfo, ...]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what reads values of ``kind`` that a worker wrote.

    Made when it is first needed: pydantic takes a tenth of a second to be ready, which the
    engine has while its workers start, and workers need not.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def prepare_to_read() -> None:
    """Make ready what reads the first answer."""
    for kind in (_Models, Identification):
        _adapter(kind)


def _read(kind: Any, plain: object) -> Any:
    return _adapter(kind).validate_python(plain)


def encode_settings(settings: EngineSettings) -> Message:
    """Encode the first message that a worker gets."""
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
    return Message({"settings": plain})


def decode_settings(message: Message) -> EngineSettings:
    """Read the settings that a worker was greeted with."""
    plain = message.body["settings"]
    paths = {key: Path(plain[key]) for key in _PATHS if plain.get(key) is not None}
    return EngineSettings(**{**plain, **paths})


def encode_models(models: tuple[ModelInfo, ...]) -> Message:
    """Encode what a worker hosts, its answer to the greeting."""
    return Message({"models": [plain_model(model) for model in models]})


def decode_models(message: Message) -> tuple[ModelInfo, ...]:
    """Read what a worker hosts."""
    models: tuple[ModelInfo, ...] = _read(_Models, message.body["models"])
    return models


def encode_lesson(
    photo: bytes,
    taxon: Taxon,
    reference: ReferencePhoto,
    identity: str | None = None,
    *,
    preview: bool = False,
) -> Message:
    """Encode a labelled photo that the index is to learn."""
    lesson = [plain_taxon(taxon), plain_reference(reference), identity]
    return Message({"learn": lesson, "preview": preview}, (photo,))


def decode_lesson(message: Message) -> tuple[Taxon, ReferencePhoto, str | None]:
    """Read what the photo of a lesson shows, whose it is, and its identity."""
    taxon, reference, identity = message.body["learn"]
    return taxon_of(taxon), ReferencePhoto(**reference), identity


def encode_learnt(learnt: Learnt) -> Message:
    """Encode what came of a lesson; the preview travels as a blob."""
    blobs = () if learnt.preview is None else (learnt.preview,)
    return Message({"learnt": plain_learnt(learnt)}, blobs)


def decode_learnt(message: Message) -> Learnt:
    """Read what came of a lesson, or raise the error that the answer carries.

    Raises:
        EngineError: what the worker raised.
    """
    _raise_error(message)
    learnt: Learnt = _read(Learnt, message.body["learnt"])
    return replace(learnt, preview=message.blobs[0] if message.blobs else None)


def encode_forgetting(identity: str) -> Message:
    """Encode which photo the index is to forget."""
    return Message({"forget": identity})


def decode_forgotten(message: Message) -> bool:
    """Read whether there was a photo to forget, or raise the error that the answer carries.

    Raises:
        EngineError: what the worker raised.
    """
    _raise_error(message)
    return bool(message.body["forgotten"])


def encode_tiles(basemap: Sequence[bytes], density: Sequence[bytes]) -> Message:
    """Encode the tiles that are to become one map."""
    return Message({"tiles": len(basemap)}, (*basemap, *density))


def decode_tiles(message: Message) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Read the tiles of the base map, and those that lie over it."""
    below = message.body["tiles"]
    return message.blobs[:below], message.blobs[below:]


def encode_world_map(picture: bytes) -> Message:
    """Encode a composed map."""
    return Message({"map": len(picture)}, (picture,))


def decode_world_map(message: Message) -> bytes:
    """Read a composed map, or raise the error that the answer carries.

    Raises:
        EngineError: what the worker raised.
    """
    _raise_error(message)
    return message.blobs[0]


def encode_gps_question(photo: bytes) -> Message:
    """Encode the question where a photo was taken."""
    return Message({"gps": True}, (photo,))


def encode_coordinates(coordinates: Coordinates | None) -> Message:
    """Encode where a photo was taken."""
    plain = None if coordinates is None else plain_coordinates(coordinates)
    return Message({"coordinates": plain})


def decode_coordinates(message: Message) -> Coordinates | None:
    """Read where a photo was taken, or raise the error that the answer carries.

    Raises:
        EngineError: what the worker raised.
    """
    _raise_error(message)
    found = message.body["coordinates"]
    coordinates: Coordinates | None = None if found is None else _read(Coordinates, found)
    return coordinates


def encode_identification(identification: Identification) -> Message:
    """Encode an answer; the preview travels as a blob."""
    blobs = () if identification.preview is None else (identification.preview,)
    return Message({"identification": plain_identification(identification)}, blobs)


def encode_error(error: EngineError) -> Message:
    """Encode a refusal so that the caller gets the same error as the worker raised.

    Of an operator's error that is the sentence that everybody may see.
    """
    sentence = error.public if isinstance(error, OperatorError) else str(error)
    body: dict[str, Any] = {"kind": type(error).__name__, "sentence": sentence}
    if isinstance(error, ModelUnavailable):
        body["group"] = error.group
    return Message({"error": body})


def decode_answer(message: Message) -> Identification:
    """Read an answer, or raise the error that it carries.

    Raises:
        EngineError: what the worker raised.
    """
    _raise_error(message)
    identification: Identification = _read(Identification, message.body["identification"])
    return replace(identification, preview=message.blobs[0] if message.blobs else None)


def _raise_error(message: Message) -> None:
    """Raise the error that an answer carries, if it carries one."""
    if "error" not in message.body:
        return
    body = message.body["error"]
    match body["kind"]:
        case "PhotoRejected":
            raise PhotoRejected(body["sentence"])
        case "ModelUnavailable":
            raise ModelUnavailable(Group(body["group"]), body["sentence"])
        case _:
            raise EngineFailed(body["sentence"])
