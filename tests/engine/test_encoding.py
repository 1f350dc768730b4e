"""Whatever crosses between a worker and the engine arrives as it was."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.contracts import (
    Ancestor,
    Candidate,
    Coordinates,
    Group,
    Identification,
    Learnt,
    ModelInfo,
    ReferencePhoto,
    Taxon,
    Verdict,
)
from engine.settings import EngineSettings
from engine.workers.channel import Message, read_message, write_message
from engine.workers.encoding import (
    decode_answer,
    decode_coordinates,
    decode_learnt,
    decode_lesson,
    decode_models,
    decode_settings,
    encode_coordinates,
    encode_identification,
    encode_learnt,
    encode_lesson,
    encode_models,
    encode_settings,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=20)
MAYBE_TEXT = st.none() | TEXT
GROUPS = st.sampled_from(Group)
TAXA = st.builds(
    Taxon,
    scientific_name=TEXT,
    rank=TEXT,
    lineage=st.lists(st.builds(Ancestor, TEXT, TEXT), max_size=3).map(tuple),
    vernacular_name=MAYBE_TEXT,
    gbif_key=st.none() | st.integers(),
    col_key=MAYBE_TEXT,
)
REFERENCES = st.builds(ReferencePhoto, source=TEXT, licence=TEXT, attribution=TEXT, url=MAYBE_TEXT)
MODELS = st.lists(
    st.builds(
        ModelInfo,
        name=TEXT,
        title=TEXT,
        group=GROUPS,
        version=TEXT,
        classes=st.integers(),
        runtime=MAYBE_TEXT,
        problem=MAYBE_TEXT,
    ),
    max_size=2,
).map(tuple)
CANDIDATES = st.builds(
    Candidate,
    taxon=TAXA,
    probability=FLOATS,
    model=TEXT,
    references=st.lists(REFERENCES, max_size=2).map(tuple),
)
IDENTIFICATIONS = st.builds(
    Identification,
    candidates=st.lists(CANDIDATES, max_size=3).map(tuple),
    verdict=st.none() | st.builds(Verdict, taxon=TAXA, probability=FLOATS),
    group=GROUPS,
    known=st.booleans(),
    known_score=FLOATS,
    trust=FLOATS,
    models=MODELS,
    timings_ms=st.dictionaries(TEXT, FLOATS, max_size=2),
    preview=st.none() | st.binary(min_size=1, max_size=9),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)


def sent(message: Message) -> Message:
    """Return a message as it comes out at the other end of the wire."""
    stream = io.BytesIO()
    write_message(stream, message)
    stream.seek(0)
    return read_message(stream)


@given(IDENTIFICATIONS)
def test_an_answer_arrives_whole(identification: Identification) -> None:
    assert decode_answer(sent(encode_identification(identification))) == identification


@given(MODELS)
def test_what_a_worker_hosts_arrives_whole(models: tuple[ModelInfo, ...]) -> None:
    assert decode_models(sent(encode_models(models))) == models


@given(st.binary(), TAXA, REFERENCES, MAYBE_TEXT, st.booleans())
def test_a_lesson_arrives_whole(
    photo: bytes, taxon: Taxon, reference: ReferencePhoto, identity: str | None, preview: bool
) -> None:
    lesson = sent(encode_lesson(photo, taxon, reference, identity, preview=preview))
    assert lesson.blobs == (photo,)
    assert decode_lesson(lesson) == (taxon, reference, identity)
    assert lesson.body["preview"] is preview


@given(
    st.builds(
        Learnt,
        new=st.booleans(),
        photos=st.none() | st.integers(min_value=0),
        preview=st.none() | st.binary(min_size=1, max_size=9),
    )
)
def test_what_was_learnt_arrives_whole(learnt: Learnt) -> None:
    assert decode_learnt(sent(encode_learnt(learnt))) == learnt


@given(st.none() | st.builds(Coordinates, latitude=FLOATS, longitude=FLOATS))
def test_a_position_arrives_whole(coordinates: Coordinates | None) -> None:
    assert decode_coordinates(sent(encode_coordinates(coordinates))) == coordinates


def test_settings_arrive_whole(tmp_path: Path) -> None:
    paths: dict[str, Any] = {
        f.name: tmp_path / f.name for f in fields(EngineSettings) if "Path" in f.type
    }
    assert len(paths) == 4
    for settings in (EngineSettings(), EngineSettings(**paths, threads=7, precision="bf16")):
        assert decode_settings(sent(encode_settings(settings))) == settings


def test_a_worker_gets_by_without_what_takes_long_to_import() -> None:
    code = "import engine.worker, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"pydantic", "asyncio", "rapidfuzz", "faiss", "tensorflow"}
    assert not slow & {*ran.stdout.split()}
