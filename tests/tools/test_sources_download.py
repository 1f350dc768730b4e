"""Polite fetching: waiting when told to, going on after a cut, and giving up on lost servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from urllib3.util import Retry

from tests.photo_server import Fault, PhotoServer, jpeg, serving
from tools.sources.download import HostLost, Web
from tools.sources.remote_file import RemoteFile
from tools.sources.source import MAX_PHOTO_BYTES, PhotoSkipped, SourceError

AT_ONCE = Retry(total=2, backoff_factor=0)


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with serving() as server:
        server.files["/a.jpg"] = jpeg(1)
        yield server


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(contact="someone@example.org", patience=AT_ONCE) as web:
        yield web


def test_the_client_says_who_it_is(server: PhotoServer, web: Web) -> None:
    assert web.photo(f"{server.url}/a.jpg") == jpeg(1)
    assert server.agents == {"Fieldmark (someone@example.org)"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, {"Retry-After": "0"}),
        Fault(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Fault(500, {"Retry-After": "soon"}),
        Fault(cut_after=20),
        Fault(cut_after=0),
    ],
)
def test_a_passing_failure_is_tried_again(server: PhotoServer, web: Web, fault: Fault) -> None:
    server.faults["/a.jpg"].extend([fault, fault])
    assert web.photo(f"{server.url}/a.jpg") == jpeg(1)
    assert server.paths == ["/a.jpg"] * 3


@pytest.mark.parametrize(
    ("fault", "reason", "final"),
    [
        (Fault(404), "answered 404 Not Found", True),
        (Fault(403), "answered 403 Forbidden", False),
        (Fault(headers={"Content-Length": str(MAX_PHOTO_BYTES + 1)}), "larger than 25 MiB", True),
        (Fault(302, {"Location": "file:///etc/passwd"}), "an address that leads nowhere", True),
        (Fault(302, {"Location": "/a.jpg"}), "an address that leads nowhere", True),
    ],
)
def test_a_refusal_is_not_tried_again(
    server: PhotoServer, web: Web, fault: Fault, reason: str, final: bool
) -> None:
    server.faults["/a.jpg"].extend([fault] * 10)
    with pytest.raises(PhotoSkipped, match=reason) as caught:
        web.photo(f"{server.url}/a.jpg")
    assert caught.value.final is final
    assert not isinstance(caught.value, HostLost)


@pytest.mark.parametrize("address", ["ftp://example.org/a.jpg", "a.jpg", "http://", "http://[::1"])
def test_an_address_that_is_none_is_skipped(web: Web, address: str) -> None:
    with pytest.raises(PhotoSkipped, match="leads nowhere"):
        web.photo(address)


def test_a_body_without_a_stated_length_is_bounded(server: PhotoServer, web: Web) -> None:
    fault = Fault(headers={"Content-Length": "-", "Connection": "close"})
    fault.body = bytes(MAX_PHOTO_BYTES + 1)
    server.faults["/a.jpg"].append(fault)
    with pytest.raises(PhotoSkipped, match="larger than 25 MiB"):
        web.photo(f"{server.url}/a.jpg")


def test_a_server_that_keeps_failing_is_lost(server: PhotoServer, web: Web) -> None:
    server.faults["/a.jpg"].extend([Fault(503)] * 99)
    for _ in range(2):
        with pytest.raises(PhotoSkipped) as caught:
            web.photo(f"{server.url}/a.jpg")
        assert (type(caught.value), caught.value.final) == (PhotoSkipped, False)
    for _ in range(5):
        with pytest.raises(HostLost, match="answered 503"):
            web.photo(f"{server.url}/a.jpg")
    assert len(server.paths) == 9


def test_a_server_that_asks_for_a_long_rest_gets_it(server: PhotoServer, web: Web) -> None:
    server.faults["/a.jpg"].append(Fault(429, {"Retry-After": "3600"}))
    for _ in range(2):
        with pytest.raises(HostLost, match="asks to be left alone for 3600 s"):
            web.photo(f"{server.url}/a.jpg")
    assert len(server.paths) == 1


def test_an_unreachable_server_is_lost_and_the_others_are_not(
    server: PhotoServer, web: Web
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.jpg"
        for kind in (PhotoSkipped, PhotoSkipped, HostLost):
            with pytest.raises(kind, match="could not be reached"):
                web.photo(address)
    assert web.photo(f"{server.url}/a.jpg") == jpeg(1)


def test_an_answer_that_is_no_json_is_tried_again(server: PhotoServer, web: Web) -> None:
    server.files["/api"] = b'{"count": 1}'
    server.faults["/api"].append(Fault(body=b"<html>"))
    assert web.json(f"{server.url}/api", {"license": ["CC0_1_0", "CC_BY_4_0"]}) == {"count": 1}
    assert server.queries[-1] == {"license": ["CC0_1_0", "CC_BY_4_0"]}


def test_nothing_is_asked_after_the_end(server: PhotoServer, web: Web) -> None:
    web.close()
    with pytest.raises(HostLost, match="interrupted"):
        web.photo(f"{server.url}/a.jpg")
    assert not server.paths


def test_a_large_file_goes_on_where_it_broke_off(server: PhotoServer, web: Web) -> None:
    body = bytes(range(256)) * 64
    server.files["/big"] = body
    server.faults["/big"].extend([Fault(cut_after=5000), Fault(cut_after=0), Fault(cut_after=99)])
    with RemoteFile(web, f"{server.url}/big") as file:
        assert file.size == len(body)
        assert file.readall() == body
        assert file.tell() == len(body)
    assert server.ranges == [None, "bytes=5000-", "bytes=5000-", "bytes=5099-"]


def test_a_large_file_that_changed_meanwhile_is_refused(server: PhotoServer, web: Web) -> None:
    server.files["/big"] = bytes(9000)
    server.faults["/big"].append(Fault(cut_after=5000))
    file = RemoteFile(web, f"{server.url}/big")
    file._validator = '"v0"'  # the server's version is another one by now
    with file, pytest.raises(SourceError, match="cannot be gone on with: download it"):
        file.readall()


def test_a_large_file_that_never_comes_is_given_up(server: PhotoServer, web: Web) -> None:
    server.files["/big"] = bytes(9000)
    server.faults["/big"].extend([Fault(cut_after=0)] * 99)
    file = RemoteFile(web, f"{server.url}/big")
    with file, pytest.raises(SourceError, match="keeps breaking off: try again later"):
        file.readall()
    with pytest.raises(SourceError, match=r"/gone cannot be had .*404 Not Found"):
        RemoteFile(web, f"{server.url}/gone")
