"""Write a file in one step: others find all of it, or what was there before."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

_WRITTEN_WITHIN_S = 3600


def write_in_one_step(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write ``parts`` to ``path``, and make its folder where there is none.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.stem}-", delete=False
    ) as file:
        draft = Path(file.name)
        try:
            file.writelines(parts)
            file.close()
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def sweep_drafts(folder: Path) -> None:
    """Remove what killed writers left in ``folder``: drafts that nobody has touched for an hour.

    Raises:
        OSError: one cannot be removed.
    """
    for draft in folder.glob(".*-*"):
        with contextlib.suppress(FileNotFoundError):  # its writer was done, or another swept it
            if time.time() - draft.stat().st_mtime > _WRITTEN_WITHIN_S:
                draft.unlink()
