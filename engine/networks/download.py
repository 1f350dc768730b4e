"""Download a module by its Hub handle and put it in place in one step.

The Hub serves a module as a tar.gz at its handle with ``?tf-hub-format=compressed``, by
way of redirects. It is unpacked into a fresh folder, recognised and checked, and only
then takes the old one's place: the installed module is a symbolic link, and replacing
that is atomic. A crash at any point leaves the old module whole.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from urllib3.util import Retry

from engine.catalog import ModelEntry
from engine.networks.fetch import MAX_DOWNLOAD, PATIENCE, DownloadFailed, Part, fetch_archive
from engine.networks.hub import (
    HubError,
    Module,
    Progress,
    forget_trust,
    installed_folder,
    read_module,
    record_trust,
)
from engine.settings import EngineSettings

DAMAGE = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error)
"""What a damaged or hostile archive may raise while it is unpacked."""

_MAX_UNPACKED = 1 << 30
_MAX_MEMBERS = 2000
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


def archive_url(handle: str) -> str:
    """Return the address at which the Hub serves the module of ``handle`` as a tar.gz."""
    parts = urlsplit(handle)
    query = urlencode([*parse_qsl(parts.query), ("tf-hub-format", "compressed")])
    return urlunsplit(parts._replace(query=query))


def download(
    entry: ModelEntry,
    settings: EngineSettings,
    progress: Progress,
    *,
    patience: Retry = PATIENCE,
    max_download: int = MAX_DOWNLOAD,
    max_unpacked: int = _MAX_UNPACKED,
) -> Module:
    """Fetch the module of ``entry``, install it under ``settings.home`` and trust it.

    ``patience`` says how often to try again and how long to wait in between; the limits
    are in bytes.

    Raises:
        DownloadFailed: the module could not be fetched or does not unpack safely.
        ModuleRefused: it arrived and is not a module, or not the one of the catalog.
        HubError: the folder under ``settings.home`` cannot be written.
    """
    if entry.local_folder is not None:
        raise DownloadFailed(
            f"The {entry.name} model is the folder {entry.handle}: there is nothing to download."
        )
    target = installed_folder(entry, settings)
    part = Part(
        url=archive_url(entry.handle),
        path=target.with_name(f".{entry.name}.part"),
        module=entry.folder_name,
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(entry, target):
            _sweep(entry, settings, target)
            fetch_archive(part, progress, patience=patience, limit=max_download)
            return _install(part, entry, settings, target, max_unpacked)
    except OSError as error:
        raise HubError(
            f"{target.parent} cannot be written ({error.strerror or error}): make room, "
            "or choose another folder with FIELDMARK_HOME."
        ) from error


@contextmanager
def _alone(entry: ModelEntry, target: Path) -> Iterator[None]:
    """Keep other processes off this module; the lock goes with the process that held it."""
    with target.with_name(f".{entry.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadFailed(
                f"Another process is downloading the {entry.name} model: wait until it is done."
            ) from error
        yield


def _sweep(entry: ModelEntry, settings: EngineSettings, target: Path) -> None:
    """Remove what an earlier crash left behind, and refuse a folder that is not ours."""
    if target.is_dir() and not target.is_symlink():
        raise DownloadFailed(
            f"{target} was put there by hand: move it away, or use it in place by naming "
            "the folder above it in FIELDMARK_MODELS."
        )
    current = target.resolve()
    # No model's name holds a dot, so this cannot match another model's folders.
    for left in target.parent.glob(f".{target.name}.new-*"):
        if left.is_symlink():
            left.unlink()
        elif left.resolve() != current:
            forget_trust(entry, left, settings)
            shutil.rmtree(left)


def _install(
    part: Part, entry: ModelEntry, settings: EngineSettings, target: Path, limit: int
) -> Module:
    fresh = Path(tempfile.mkdtemp(prefix=f".{entry.name}.new-", dir=target.parent))
    try:
        fresh.chmod(0o755)
        _unpack(part, entry, fresh, limit)
        module = read_module(entry, fresh)
        record_trust(module, settings)
        link = fresh.with_name(f"{fresh.name}.link")
        link.symlink_to(fresh.name, target_is_directory=True)
        link.replace(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        part.discard()
    _sweep(entry, settings, target)
    return replace(module, folder=target)


def _unpack(part: Part, entry: ModelEntry, folder: Path, limit: int) -> None:
    try:
        extract_archive(part.path, folder, limit=limit)
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise
        raise DownloadFailed(
            f"What came for the {entry.name} model from {part.url} is damaged or unsafe "
            f"({error}): nothing was changed; try again, or tell its publisher."
        ) from error


def extract_archive(archive: Path, folder: Path, *, limit: int) -> None:
    """Unpack a tar.gz of plain files and folders alone, up to ``limit`` bytes in all.

    Raises:
        tarfile.TarError: it is too large, or holds what no module has.
        DAMAGE: any of these: it is damaged.
    """
    size = 0
    with tarfile.open(archive, "r:gz") as tar:
        for count, member in enumerate(tar, start=1):
            size += member.size
            if count > _MAX_MEMBERS or size > limit:
                raise tarfile.ExtractError("it unpacks to more than a module can be")
            if not (member.isdir() or (member.isreg() and not member.issparse())):
                raise tarfile.ExtractError(f"{member.name!r} is no plain file")
            tar.extract(member, folder, filter="data")
