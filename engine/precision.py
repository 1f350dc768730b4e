"""At which precision a network computes: bf16 only where it was measured to answer alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.processor import gains_from_bf16

if TYPE_CHECKING:
    from engine.catalog import ModelEntry
    from engine.settings import EngineSettings

Precision = Literal["f32", "bf16"]
PrecisionSetting = Literal["auto", "f32", "bf16"]

PRECISIONS: tuple[Precision, ...] = ("f32", "bf16")
ALIKE_FROM = 0.99
"""How often bf16 must name the same species first as f32 to be chosen (docs/models.md)."""


def choose_precision(entry: ModelEntry, settings: EngineSettings) -> Precision:
    """Return the settings' precision; ``auto`` is bf16 where network and processor allow it.

    Half the time is saved where the processor gains from it at all, at the price of an answer in a
    hundred or less, so it takes a measurement of either.
    """
    if settings.precision != "auto":
        return settings.precision
    alike = entry.bf16_agreement is not None and entry.bf16_agreement >= ALIKE_FROM
    return "bf16" if alike and gains_from_bf16(settings.home) else "f32"


def precisions_of(embedder: str) -> dict[str, Precision]:
    """Return at which precision each network computes that an embedder's identity names."""
    return {
        part.partition("@")[0]: precision
        for part in embedder.split("+")
        for precision in PRECISIONS
        if part.endswith(f"/{precision}")
    }
