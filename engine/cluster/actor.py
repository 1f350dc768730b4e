"""A worker as an actor."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Callable

from engine.workers.channel import Message


class SeatedWorker:
    """Runs on a node what ``module.open_worker`` opens there.

    It must run two calls at once: ``live`` is under way for as long as the actor is alive.
    """

    def __init__(self, module: str) -> None:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._module = importlib.import_module(module)
        self._answer: Callable[[Message], Message]

    def greet(self, hello: Message) -> tuple[int, Message]:
        """Open the worker; return its process id and what it says of itself."""
        ready, self._answer = self._module.open_worker(hello)
        return os.getpid(), ready

    def answer(self, request: Message) -> Message:
        """Answer one request."""
        return self._answer(request)

    def live(self) -> None:
        """Never return: whoever called learns at once when the actor dies."""
        threading.Event().wait()
