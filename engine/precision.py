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


def choose_precision(
    entry: ModelEntry, settings: EngineSettings, *, joined: bool = False
) -> Precision:
    """Return the settings' precision; ``auto`` is bf16 where network and processor allow it.

    Half the time is saved where the processor gains from it at all, at the price of an answer in a
    hundred or less, so it takes a measurement of either. An index in which a network's features are
    ``joined`` with others' answers more alike than one of them alone: what one blurs, another sees.
    """
    if settings.precision != "auto":
        return settings.precision
    agreement = entry.bf16_joined_agreement if joined else None
    if agreement is None:
        agreement = entry.bf16_agreement
    alike = agreement is not None and agreement >= ALIKE_FROM
    return "bf16" if alike and gains_from_bf16(settings.home) else "f32"


def precisions_of(embedder: str) -> dict[str, Precision]:
    """Return at which precision each network computes that an embedder's identity names."""
    return {
        part.partition("@")[0]: precision
        for part in embedder.split("+")
        for precision in PRECISIONS
        if part.endswith(f"/{precision}")
    }
