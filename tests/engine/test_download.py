"""Downloads from a Hub that redirects, breaks off, lies and serves evil archives."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import os
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import Retry

from engine.catalog import ModelEntry, load_catalog
from engine.networks import download as download_module
from engine.networks.download import archive_url, download, extract_archive
from engine.networks.fetch import DownloadFailed
from engine.networks.hub import HubError, Module, ModuleRefused, installed_folder, locate
from engine.settings import EngineSettings
from tests.hub_server import HubServer, Request, pack_module, serving

PATIENCE = Retry(total=3, backoff_factor=0)
# Does not compress, so a download has a middle to break off in.
WEIGHTS = os.urandom(200_000)


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    return pack_module(write_module(tmp_path / "published"))


@pytest.fixture
def hub(packed: bytes) -> Iterator[HubServer]:
    with serving(packed) as server:
        yield server


@pytest.fixture
def entry(hub: HubServer) -> ModelEntry:
    return replace(load_catalog()["birds"], handle=hub.handle)


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    return EngineSettings(home=tmp_path / "home")


def write_module(folder: Path, weights: bytes = WEIGHTS) -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(weights)
    return folder


def pull(entry: ModelEntry, settings: EngineSettings, **limits: int) -> Module:
    return download(entry, settings, lambda done, total: None, patience=PATIENCE, **limits)


def held_weights(entry: ModelEntry, settings: EngineSettings) -> bytes:
    module = locate(entry, settings)
    return (module.folder / "variables" / "variables.data-00000-of-00001").read_bytes()


def leftovers(settings: EngineSettings) -> set[str]:
    """Name what lies beside the installed modules, apart from the lock."""
    names = {path.name for path in (settings.home / "models").iterdir()}
    return {name.split("-")[0] for name in names} - {".birds.lock"}


def test_a_handle_becomes_the_address_that_the_hub_library_asks() -> None:
    assert archive_url("https://tfhub.dev/a/b/1") == (
        "https://tfhub.dev/a/b/1?tf-hub-format=compressed"
    )
    assert archive_url("https://example.org/a?x=1") == (
        "https://example.org/a?x=1&tf-hub-format=compressed"
    )


def test_a_module_arrives_through_a_redirect(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings
) -> None:
    told: list[tuple[int, int | None]] = []
    module = download(entry, settings, lambda done, total: told.append((done, total)))
    assert module == locate(entry, settings)
    assert module.folder == installed_folder(entry, settings)
    assert held_weights(entry, settings) == WEIGHTS
    assert told[0] == (0, len(hub.archive))
    assert told[-1] == (len(hub.archive), len(hub.archive))
    assert leftovers(settings) == {"birds", ".birds.new"}


def test_a_cut_connection_goes_on_where_it_stopped(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings
) -> None:
    # More often than PATIENCE lasts: each attempt that gains something renews it.
    hub.faults.extend(partial(Request.serve, cut_after=30_000) for _ in range(5))
    pull(entry, settings)
    assert hub.ranges == [None, *(f"bytes={n}0000-" for n in (3, 6, 9, 12, 15))]
    assert held_weights(entry, settings) == WEIGHTS


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings
) -> None:
    hub.faults.append(partial(Request.serve, cut_after=70_000))
    hub.faults.extend(partial(Request.refuse, status=HTTPStatus.BAD_GATEWAY) for _ in range(4))
    with pytest.raises(DownloadFailed, match=r"answered 502 Bad Gateway.*try again later"):
        pull(entry, settings)
    pull(entry, settings)
    assert hub.ranges[-1] == "bytes=70000-"
    assert held_weights(entry, settings) == WEIGHTS


def test_a_module_that_changed_meanwhile_starts_again(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, tmp_path: Path
) -> None:
    def cut_and_publish(request: Request) -> None:
        request.serve(cut_after=60_000)
        other = write_module(tmp_path / "second", weights=WEIGHTS[::-1])
        hub.archive, hub.etag = pack_module(other), '"v2"'

    hub.faults.append(cut_and_publish)
    pull(entry, settings)
    assert hub.ranges == [None, "bytes=60000-"]
    assert held_weights(entry, settings) == WEIGHTS[::-1]


def test_a_server_without_ranges_starts_again(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings
) -> None:
    hub.knows_ranges = False
    hub.faults.append(partial(Request.serve, cut_after=60_000))
    pull(entry, settings)
    assert held_weights(entry, settings) == WEIGHTS


@pytest.mark.parametrize(
    "fault",
    [
        partial(Request.serve, shift=7),
        partial(Request.refuse, status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE),
    ],
    ids=["another part", "416"],
)
def test_a_wrong_range_is_not_pasted_on(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, fault: partial[None]
) -> None:
    hub.faults.extend([partial(Request.serve, cut_after=60_000), fault])
    pull(entry, settings)
    assert hub.ranges == [None, "bytes=60000-", None]
    assert held_weights(entry, settings) == WEIGHTS


def test_bytes_without_a_version_are_not_gone_on_with(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings
) -> None:
    part = settings.home / "models" / ".birds.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(hub.archive[:100])
    pull(entry, settings)
    assert hub.ranges == [None]
    assert held_weights(entry, settings) == WEIGHTS


def test_bytes_from_another_handle_are_not_gone_on_with(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings
) -> None:
    hub.faults.append(partial(Request.serve, cut_after=60_000))
    hub.faults.extend(partial(Request.refuse, status=HTTPStatus.BAD_GATEWAY) for _ in range(4))
    with pytest.raises(DownloadFailed):
        pull(entry, settings)
    renamed = replace(entry, handle=hub.handle.replace("127.0.0.1", "localhost"))
    pull(renamed, settings)
    assert hub.ranges[-1] is None
    assert held_weights(renamed, settings) == WEIGHTS


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Request.serve_page, "something else than a module"),
        (partial(Request.serve_bytes, content=b'{"error": 1}'), "something else than a module"),
        (partial(Request.refuse, status=HTTPStatus.NOT_FOUND), "404 Not Found.*correct the model"),
        (partial(Request.refuse, status=HTTPStatus.FORBIDDEN), "refuses to hand out.*browser"),
        (partial(Request.redirect, location="/storage/birds_V1.tar.gz"), "redirects"),
        (partial(Request.serve_bytes, content=b"\x1f\x8b\x08nonsense"), "damaged or unsafe"),
        (partial(Request.serve_bytes, content=b""), "damaged or unsafe"),
    ],
    ids=["page", "json", "404", "403", "redirect loop", "nonsense", "nothing"],
)
def test_what_is_no_module_is_refused_and_the_old_one_stays(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, fault: partial[None], said: str
) -> None:
    before = pull(entry, settings)
    hub.faults.extend([fault] * 12)
    with pytest.raises(DownloadFailed, match=said):
        pull(entry, settings)
    hub.faults.clear()
    assert locate(entry, settings) == before
    assert leftovers(settings) == {"birds", ".birds.new"}


def test_a_host_out_of_reach_is_named_at_once(entry: ModelEntry, settings: EngineSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = replace(entry, handle=f"http://127.0.0.1:{port}/birds/1")
    with pytest.raises(DownloadFailed) as failure:
        pull(away, settings)
    assert "127.0.0.1 could not be reached: try again later" in str(failure.value)
    assert "unpack it into a folder called birds_V1" in str(failure.value)


def test_an_encrypted_handle_may_not_lead_to_plain_text(
    entry: ModelEntry, settings: EngineSettings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    class Plain(requests.adapters.HTTPAdapter):
        """Answers for https what the loopback server answers without TLS."""

        def send(
            self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
        ) -> requests.Response:
            request.url = str(request.url).replace("https:", "http:")
            response = super().send(request, *args, **kwargs)
            response.url = request.url.replace("http:", "https:")
            response.headers["Location"] = f"http://{hub.address}/storage/birds_V1.tar.gz"
            return response

    def mount(session: requests.Session) -> requests.Session:
        session.mount("https://", Plain())
        return session

    original = requests.Session.__enter__
    monkeypatch.setattr(requests.Session, "__enter__", lambda session: mount(original(session)))
    with pytest.raises(DownloadFailed, match="without encryption"):
        pull(replace(entry, handle=hub.handle.replace("http:", "https:")), settings)


@pytest.mark.parametrize("announced", [True, False])
def test_a_download_has_a_largest_size(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, announced: bool
) -> None:
    def serve_until_closed(request: Request) -> None:
        request.send_response(HTTPStatus.OK)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(hub.archive)

    if not announced:
        hub.faults.append(serve_until_closed)
    with pytest.raises(DownloadFailed, match="larger than the 0 MiB"):
        pull(entry, settings, max_download=100_000)
    assert leftovers(settings) == set()


def test_the_catalogs_checksum_keeps_the_old_module(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, tmp_path: Path
) -> None:
    before = pull(entry, settings)
    hub.archive = pack_module(write_module(tmp_path / "second", weights=b"other"))
    pinned = replace(entry, checksum=before.checksum)
    with pytest.raises(ModuleRefused, match="not the one the catalog expects"):
        pull(pinned, settings)
    assert locate(pinned, settings).checksum == before.checksum


def test_pulling_again_replaces_and_trusts(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, tmp_path: Path
) -> None:
    pull(entry, settings)
    hub.archive, hub.etag = pack_module(write_module(tmp_path / "second", weights=b"new")), '"v2"'
    pull(entry, settings)
    assert held_weights(entry, settings) == b"new"
    assert len(list((settings.home / "models").glob(".birds.new-*"))) == 1
    assert len(list((settings.home / "checksums").iterdir())) == 1


@pytest.mark.parametrize("step", ["_unpack", "read_module", "record_trust"])
def test_an_end_at_any_step_leaves_the_old_module_whole(
    hub: HubServer,
    entry: ModelEntry,
    settings: EngineSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    before = pull(entry, settings)
    hub.archive, hub.etag = pack_module(write_module(tmp_path / "second", weights=b"new")), '"v2"'

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download_module, step, end)
        with pytest.raises(KeyboardInterrupt):
            pull(entry, settings)
    assert locate(entry, settings) == before
    pull(entry, settings)
    assert held_weights(entry, settings) == b"new"


def test_what_a_crash_left_is_swept_but_not_another_models(
    entry: ModelEntry, settings: EngineSettings
) -> None:
    models = settings.home / "models"
    for name in (".birds.new-dead", ".birds-of-prey.new-live"):
        write_module(models / name)
    (models / ".birds.new-dead.link").symlink_to(".birds.new-dead")
    pull(entry, settings)
    assert not list(models.glob(".birds.new-dead*"))
    assert (models / ".birds-of-prey.new-live" / "saved_model.pb").is_file()


def test_a_folder_put_there_by_hand_is_not_touched(
    entry: ModelEntry, settings: EngineSettings
) -> None:
    own = write_module(installed_folder(entry, settings))
    with pytest.raises(DownloadFailed, match="put there by hand"):
        pull(entry, settings)
    assert (own / "saved_model.pb").is_file()


def test_two_downloads_of_one_model_do_not_mix(entry: ModelEntry, settings: EngineSettings) -> None:
    lock = settings.home / "models" / ".birds.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DownloadFailed, match="Another process"):
            pull(entry, settings)
    pull(entry, settings)
    assert held_weights(entry, settings) == WEIGHTS


def test_a_home_that_cannot_be_written_is_said_so(entry: ModelEntry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError, match="FIELDMARK_HOME"):
        pull(entry, EngineSettings(home=tmp_path / "file"))


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def pack(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


EVIL = {
    "parent": pack(member("../escaped", b"evil")),
    "absolute": pack(member("/tmp/../../escaped", b"evil")),
    "symbolic link": pack(member("a", b"", type=tarfile.SYMTYPE, linkname="..")),
    "through a link": pack(
        member("a", b"", type=tarfile.SYMTYPE, linkname=".."), member("a/escaped", b"evil")
    ),
    "link inside": pack(
        member("saved_model.pb"), member("a", b"", type=tarfile.SYMTYPE, linkname="saved_model.pb")
    ),
    "hard link inside": pack(
        member("saved_model.pb"), member("a", b"", type=tarfile.LNKTYPE, linkname="saved_model.pb")
    ),
    "hard link": pack(member("a", b"", type=tarfile.LNKTYPE, linkname="../outside")),
    "device": pack(member("a", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=5)),
    "pipe": pack(member("a", b"", type=tarfile.FIFOTYPE)),
    "bomb": pack(member("a", bytes(5_000_000))),
    "many": pack(*(member(str(number), b"") for number in range(2001))),
    "file and folder": pack(member("a"), member("a/b")),
    "cut off": pack(member("a", os.urandom(5000)))[:3000],
    "trailing garbage in the stream": gzip.compress(b"no tar at all" * 100),
}


@pytest.mark.parametrize("archive", EVIL.values(), ids=EVIL.keys())
def test_an_evil_archive_leaves_nothing_behind(
    hub: HubServer, entry: ModelEntry, settings: EngineSettings, tmp_path: Path, archive: bytes
) -> None:
    before = pull(entry, settings)
    outside = {path for path in tmp_path.rglob("*") if not path.is_relative_to(settings.home)}
    hub.archive, hub.etag = archive, '"evil"'
    with pytest.raises(DownloadFailed, match="damaged or unsafe"):
        pull(entry, settings, max_unpacked=1_000_000)
    assert locate(entry, settings) == before
    assert leftovers(settings) == {"birds", ".birds.new"}
    assert len(list((settings.home / "models").glob(".birds.new-*"))) == 1
    assert outside == {
        path for path in tmp_path.rglob("*") if not path.is_relative_to(settings.home)
    }


@given(
    raw=st.binary(max_size=2000),
    position=st.integers(min_value=0, max_value=3000),
    compress=st.booleans(),
)
def test_damage_anywhere_is_an_error_we_name(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, position: int, compress: bool
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    good = bytearray(gzip.decompress(pack(member("saved_model.pb", b"graph"), member("a/b"))))
    if compress:
        good[position : position + len(raw)] = raw
        archive = gzip.compress(bytes(good))
    else:
        packed = bytearray(gzip.compress(bytes(good)))
        packed[position % len(packed) :][: len(raw)] = raw
        archive = bytes(packed[: position % len(packed)]) + raw
    (folder / "archive").write_bytes(archive)
    target = folder / "target"
    target.mkdir()
    with contextlib.suppress(*download_module.DAMAGE):
        extract_archive(folder / "archive", target, limit=10_000)
    assert {path.name for path in folder.iterdir()} == {"archive", "target"}
