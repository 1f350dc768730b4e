"""OpenVINO without its model converter, which nothing here uses.

``import openvino`` brings the converter along where that can be imported, and goes without
where it cannot. The converter sends word of each import to Google Analytics, under an identity
that it keeps in the user's home, unless somebody has opted out; and it takes as long to import
as the rest.
"""

from __future__ import annotations

import sys
from typing import Any

_CONVERTER = "openvino.tools.ovc"


def import_openvino() -> Any:
    """Import OpenVINO; the only way in which this code does."""
    # Python's own way to say that a module cannot be imported.
    sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
    import openvino

    return openvino
