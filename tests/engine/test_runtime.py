"""Networks in OpenVINO run photo by photo, and answer for each photo of a batch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from engine.networks.runtime import choose_output, open_network
from tests.hub_modules import HubModules


@pytest.mark.parametrize("module", ["birds_V1", "insects_V1"])
def test_a_batch_is_answered_photo_by_photo(hub_modules: HubModules, module: str) -> None:
    network = open_network(hub_modules.folder / module, runtime="openvino")
    width = 965 if module == "birds_V1" else 1022
    colours = 255 * np.eye(3, dtype=np.uint8)[:, None, None, :]
    images = np.broadcast_to(colours, (3, 224, 224, 3)).copy()
    together = choose_output(network(images), width)
    assert together.shape == (3, width)
    assert together.argmax(axis=1).tolist() == [0, 1, 2]
    for photo, row in zip(images, together, strict=True):
        np.testing.assert_array_equal(choose_output(network(photo[None]), width)[0], row)


def test_pixels_that_were_scaled_already_are_refused(hub_modules: HubModules) -> None:
    network = open_network(hub_modules.folder / "birds_V1", runtime="openvino")
    with pytest.raises(TypeError):
        network(np.ones((1, 224, 224, 3), np.float32))


def test_openvino_comes_without_what_sends_word_of_it() -> None:
    code = (
        "import sys; from engine.openvino_alone import import_openvino; "
        "assert 'CPU' in import_openvino().Core().available_devices; "
        "print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "openvino._pyopenvino" in ran.stdout.split()
    assert not [name for name in ran.stdout.split() if "telemetry" in name]
