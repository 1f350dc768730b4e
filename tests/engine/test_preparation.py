"""The record of a comparison: when it holds, and which runtime it chooses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import pytest

from engine.catalog import load_catalog
from engine.networks.hub import Module
from engine.networks.preparation import (
    NotPrepared,
    Preparation,
    choose_runtime,
    read_preparation,
    write_preparation,
)
from engine.networks.runtime import RuntimeName
from engine.precision import Precision
from engine.settings import EngineSettings


class Change(TypedDict, total=False):
    """What a record may say of another comparison."""

    checksum: str
    openvino: str
    tensorflow: str
    precision: Precision


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    return EngineSettings(home=tmp_path, precision="f32")


@pytest.fixture
def module(tmp_path: Path) -> Module:
    entry = load_catalog()["birds"]
    return Module(entry=entry, folder=tmp_path / "birds", format="tf1-hub", checksum="a" * 64)


@pytest.fixture
def record(module: Module) -> Preparation:
    return Preparation(
        model="birds",
        checksum=module.checksum,
        runtime="openvino",
        precision="f32",
        openvino=version("openvino"),
        tensorflow=version("tensorflow"),
        photos=16,
        agreement=1.0,
        greatest_difference=2e-6,
        reason=None,
        compared=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_record_is_read_as_it_was_written(
    module: Module, settings: EngineSettings, record: Preparation
) -> None:
    write_preparation(record, module, settings)
    assert read_preparation(module, settings) == record
    choice = choose_runtime(module, settings)
    assert (choice.runtime, choice.precision) == ("openvino", "f32")
    assert "agreed with TensorFlow on 16 photos" in choice.reason


def test_a_module_that_openvino_failed_is_tensorflows(
    module: Module, settings: EngineSettings, record: Preparation
) -> None:
    refused = replace(record, runtime="tensorflow", reason="OpenVINO cannot take it.")
    write_preparation(refused, module, settings)
    choice = choose_runtime(module, settings)
    assert (choice.runtime, choice.reason) == ("tensorflow", "OpenVINO cannot take it.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"checksum": "b" * 64}, "another module was compared"),
        ({"openvino": "2020.1"}, "compared with OpenVINO 2020.1 and TensorFlow"),
        ({"tensorflow": "1.15"}, "TensorFlow 1.15, which are now"),
        ({"precision": "bf16"}, "compared at bf16, it computes in f32"),
    ],
)
def test_a_record_of_something_else_does_not_hold(
    module: Module,
    settings: EngineSettings,
    record: Preparation,
    change: Change,
    said: str,
) -> None:
    other = replace(record, runtime="tensorflow", reason="It was wrong.", **change)
    write_preparation(other, module, settings)
    with pytest.raises(NotPrepared, match=said) as refusal:
        read_preparation(module, settings)
    assert "run `fieldmark models verify birds`" in str(refusal.value)
    assert choose_runtime(module, settings).runtime == "openvino"


@pytest.mark.parametrize(("key", "value"), [("runtime", "onnx"), ("precision", "int8")])
def test_a_record_of_no_runtime_that_there_is_does_not_hold(
    module: Module, settings: EngineSettings, record: Preparation, key: str, value: str
) -> None:
    unheard_of = replace(record, **{key: value})  # type: ignore[arg-type]  # a file may say anything
    write_preparation(unheard_of, module, settings)
    with pytest.raises(NotPrepared, match="unreadable: run `fieldmark models verify birds`"):
        read_preparation(module, settings)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"model": "birds", "compared": "2026-01-01"}',
        b'{"model": "birds", "compared": 1}',
    ],
)
def test_a_damaged_record_does_not_hold(
    module: Module, settings: EngineSettings, record: Preparation, content: bytes
) -> None:
    write_preparation(record, module, settings)
    (settings.home / "prepared" / "birds.json").write_bytes(content)
    with pytest.raises(NotPrepared, match="unreadable: run `fieldmark models verify birds`"):
        read_preparation(module, settings)


def test_without_a_record_openvino_serves_and_the_reason_says_so(
    module: Module, settings: EngineSettings
) -> None:
    choice = choose_runtime(module, settings)
    assert choice.runtime == "openvino"
    assert "not compared with TensorFlow yet" in choice.reason


@pytest.mark.parametrize("runtime", ["openvino", "tensorflow"])
def test_the_settings_may_choose(
    module: Module, settings: EngineSettings, record: Preparation, runtime: RuntimeName
) -> None:
    other: RuntimeName = "tensorflow" if runtime == "openvino" else "openvino"
    write_preparation(replace(record, runtime=other), module, settings)
    chosen = choose_runtime(module, replace(settings, runtime=runtime, precision="bf16"))
    assert (chosen.runtime, chosen.precision) == (runtime, "bf16")
