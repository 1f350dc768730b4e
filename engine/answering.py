"""What a worker does with one request: look at a photo, learn or forget one, compose a map."""

from __future__ import annotations

import io
import logging
import math
from time import monotonic

from PIL import Image

from engine.contracts import (
    EngineError,
    EngineFailed,
    Group,
    IndexLost,
    ModelUnavailable,
    NetworkLost,
    OperatorError,
)
from engine.gps import read_coordinates
from engine.pipeline import Pipeline
from engine.workers.backend import EXHAUSTED, LEAVING, WITHIN_S
from engine.workers.channel import Message
from engine.workers.encoding import (
    decode_lesson,
    decode_tiles,
    encode_coordinates,
    encode_error,
    encode_identification,
    encode_learnt,
    encode_world_map,
)
from engine.world_map import compose_world_map

log = logging.getLogger(__name__)

_LEARNT_IN = 0.9  # of the time that there is; the rest is for the answer's way back


def answer(pipeline: Pipeline, request: Message) -> Message:
    """Run one request; every failure becomes an answer."""
    try:
        return _carry_out(pipeline, request)
    except (NetworkLost, IndexLost) as error:
        return Message({LEAVING: str(error)})
    except OperatorError as error:
        log.warning("%s", error)
        return encode_error(error)
    except EngineError as error:
        if error.__cause__ is not None:
            log.info("%s (%r)", error, error.__cause__)
        return encode_error(error)
    # Not the decoder's, which is the photo's fault. What is left to work with may be too little.
    except MemoryError:
        log.exception("A request took more memory than there was.")
        return Message({EXHAUSTED: True})
    # The process boundary: whatever else went wrong is logged here and must reach the caller.
    except Exception:
        log.exception("A request failed.")
        return encode_error(EngineFailed("Something went wrong while I looked at this photo."))


def _carry_out(pipeline: Pipeline, request: Message) -> Message:
    if "ping" in request.body:
        return Message({})
    if "learn" in request.body:
        lesson = request.blobs[0], *decode_lesson(request)
        # Who is told that it took too long must not find later that it was learnt.
        until = monotonic() + _LEARNT_IN * request.body.get(WITHIN_S, math.inf)
        learnt = pipeline.learn(*lesson, preview=request.body["preview"], until=until)
        return encode_learnt(learnt)
    if "forget" in request.body:
        return Message({"forgotten": pipeline.forget(request.body["forget"])})
    if "tiles" in request.body:
        return encode_world_map(compose_world_map(*decode_tiles(request)))
    if "gps" in request.body:
        return encode_coordinates(read_coordinates(request.blobs[0]))
    return encode_identification(
        pipeline.identify(
            request.blobs,
            Group(request.body["group"]),
            limit=request.body["limit"],
            preview=request.body["preview"],
            certainty=request.body["certainty"],
        )
    )


def warm_up(pipeline: Pipeline) -> None:
    """Run a photo through every network, so that the first member does not wait for it."""
    photo = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(photo, "JPEG")
    try:
        pipeline.identify([photo.getvalue()], Group.AUTO)
    except ModelUnavailable:
        log.warning("This worker has no network to answer with.")
    except IndexLost as error:
        log.warning("The first request will find that %s", error)
