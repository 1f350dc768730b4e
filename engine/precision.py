"""At which precision a network computes: bf16 only where it was measured to answer alike."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from engine.openvino_alone import import_openvino

if TYPE_CHECKING:
    from engine.catalog import ModelEntry

Precision = Literal["f32", "bf16"]
PrecisionSetting = Literal["auto", "f32", "bf16"]

PRECISIONS: tuple[Precision, ...] = ("f32", "bf16")
ALIKE_FROM = 0.99
"""How often bf16 must name the same species first as f32 to be chosen (docs/models.md)."""


def choose_precision(entry: ModelEntry, asked: PrecisionSetting) -> Precision:
    """Return what was asked for; ``auto`` is bf16 where the network and the processor allow it.

    Half the time is saved, at the price of an answer in a hundred or less, so it takes a
    measured agreement in the catalog. A processor that only imitates bf16 would save nothing.
    """
    if asked != "auto":
        return asked
    alike = entry.bf16_agreement is not None and entry.bf16_agreement >= ALIKE_FROM
    return "bf16" if alike and computes_in_bf16() else "f32"


def precisions_of(embedder: str) -> dict[str, Precision]:
    """Return at which precision each network computes that an embedder's identity names."""
    return {
        part.partition("@")[0]: precision
        for part in embedder.split("+")
        for precision in PRECISIONS
        if part.endswith(f"/{precision}")
    }


@cache
def computes_in_bf16() -> bool:
    """Tell whether this machine's processor has instructions for bf16."""
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
