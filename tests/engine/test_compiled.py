"""What OpenVINO compiled is kept for the next worker, and made anew wherever it does not fit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.networks import compiled
from engine.networks.compiled import CompiledFolder
from engine.networks.runtime import Network, NetworkUnreadable, open_network
from engine.one_step import write_in_one_step
from engine.precision import Precision
from tests.hub_modules import HubModules

PHOTO = np.full((1, 224, 224, 3), 128, np.uint8)


@pytest.fixture
def module(hub_modules: HubModules) -> Path:
    return hub_modules.folder / "birds_V1"


@pytest.fixture
def kept(tmp_path: Path) -> CompiledFolder:
    return CompiledFolder(folder=tmp_path / "compiled", checksum="a" * 64)


def opened(
    folder: Path, kept: CompiledFolder | None, precision: Precision = "f32", threads: int = 2
) -> Network:
    return open_network(folder, runtime="openvino", precision=precision, threads=threads, kept=kept)


def was_kept(kept: CompiledFolder, precision: Precision = "f32", threads: int = 2) -> bool:
    """Tell whether a network opens although there is no module to compile."""
    try:
        opened(Path("/nowhere/birds_V1"), kept, precision, threads)
    except NetworkUnreadable:
        return False
    return True


def the_file(kept: CompiledFolder) -> Path:
    (path,) = kept.folder.iterdir()
    return path


def draft_of(path: Path) -> Path:
    """Return what is there while ``path`` is being written."""
    there: list[Path] = []

    def parts() -> Iterator[bytes]:
        there.extend(path.parent.iterdir())
        yield b"a network"

    write_in_one_step(path, parts())
    path.unlink()
    (draft,) = there
    return draft


def test_the_next_to_open_it_compiles_nothing_and_answers_alike(
    module: Path, kept: CompiledFolder
) -> None:
    assert not was_kept(kept)
    fresh = opened(module, None)(PHOTO)
    first = opened(module, kept)(PHOTO)
    again = opened(Path("/nowhere/birds_V1"), kept)(np.concatenate([PHOTO, PHOTO]))
    assert fresh.keys() == first.keys() == again.keys()
    for name, output in fresh.items():
        np.testing.assert_array_equal(first[name], output)
        np.testing.assert_array_equal(again[name], np.concatenate([output, output]))


def test_another_precision_thread_count_or_module_is_compiled_for_itself(
    module: Path, kept: CompiledFolder
) -> None:
    opened(module, kept)
    assert was_kept(kept)
    assert not was_kept(kept, precision="bf16")
    assert not was_kept(kept, threads=1)
    assert not was_kept(CompiledFolder(folder=kept.folder, checksum="b" * 64))
    opened(module, kept, "bf16")
    assert was_kept(kept)
    assert was_kept(kept, precision="bf16")


def test_another_recipe_is_compiled_for_itself_and_replaces_the_old(
    module: Path, kept: CompiledFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(module, kept)
    before = the_file(kept)
    monkeypatch.setattr(compiled, "RECIPE", compiled.RECIPE + 1)
    assert not was_kept(kept)
    opened(module, kept)
    assert the_file(kept) != before


def test_another_module_replaces_what_was_kept_of_the_old(
    module: Path, kept: CompiledFolder
) -> None:
    opened(module, kept)
    opened(module, kept, "bf16")
    assert len([*kept.folder.iterdir()]) == 2
    newer = CompiledFolder(folder=kept.folder, checksum="b" * 64)
    opened(module, newer)
    assert was_kept(newer)
    assert the_file(kept)


def test_what_killed_writers_left_is_swept_and_what_is_being_written_is_not(
    module: Path, kept: CompiledFolder
) -> None:
    left, begun = (draft_of(kept.folder / "0123-456.blob") for _ in range(2))
    for draft, hours in ((left, 2), (begun, 0)):
        draft.write_bytes(b"half of a network")
        written = time.time() - 3600 * hours
        os.utime(draft, (written, written))
    opened(module, kept)
    assert not left.exists()
    assert begun.exists()
    assert was_kept(kept)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:2],
        lambda content: content[:-1],
        lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        lambda content: content + b"more",
    ],
)
def test_what_is_damaged_is_said_and_compiled_anew(
    module: Path,
    kept: CompiledFolder,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = opened(module, kept)(PHOTO)
    path = the_file(kept)
    path.write_bytes(damage(path.read_bytes()))
    answers = opened(module, kept)(PHOTO)
    assert f"{path} cannot be used (its checksum is wrong): compiling anew." in caplog.text
    for name, output in expected.items():
        np.testing.assert_array_equal(answers[name], output)
    assert was_kept(kept)


def test_what_openvino_does_not_take_is_compiled_anew(
    module: Path, kept: CompiledFolder, caplog: pytest.LogCaptureFixture
) -> None:
    opened(module, kept)
    compiled._write(the_file(kept), b"a network of another kind")
    opened(module, kept)
    assert "cannot be used" in caplog.text
    assert was_kept(kept)


def test_where_nothing_can_be_kept_the_network_opens_and_the_log_says_so(
    module: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "compiled").write_text("in the way")
    opened(module, CompiledFolder(folder=tmp_path / "compiled" / "birds", checksum="a" * 64))
    assert "cannot be kept" in caplog.text
    assert "each worker compiles it anew" in caplog.text
