"""What ``fieldmark models`` says of each model: a table for people, records for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from engine import EngineSettings
from engine.catalog import ModelEntry
from engine.networks.hub import HubError, Module, locate
from engine.networks.preparation import (
    NotPrepared,
    Preparation,
    RuntimeChoice,
    choose_runtime,
    read_preparation,
)

_FORMATS = {"tf1-hub": "TF1 Hub module", "saved-model": "TF2 SavedModel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """How one model stands on this machine; ``problem`` is why it cannot answer, if so.

    ``unprepared`` is why ``preparation`` is None, where there is a module.
    """

    entry: ModelEntry
    module: Module | None = None
    choice: RuntimeChoice | None = None
    preparation: Preparation | None = None
    unprepared: str | None = None
    problem: str | None = None


def survey(entry: ModelEntry, settings: EngineSettings) -> ModelState:
    """Look at the model as it is now, without opening it."""
    try:
        module = locate(entry, settings)
    except HubError as error:
        return ModelState(entry=entry, problem=str(error))
    choice = choose_runtime(module, settings)
    try:
        preparation = read_preparation(module, settings)
    except NotPrepared as error:
        return ModelState(entry=entry, module=module, choice=choice, unprepared=str(error))
    return ModelState(entry=entry, module=module, choice=choice, preparation=preparation)


def as_table(states: list[ModelState]) -> Table:
    """Lay the models out for people."""
    # A folder's name must be there whole, to be typed.
    state_column = Column("state", overflow="fold")
    table = Table("model", "group", "width", "runtime", state_column, box=None, pad_edge=False)
    for state in states:
        table.add_row(
            state.entry.name,
            state.entry.group.value,
            str(state.entry.width),
            _runtime(state),
            escape("\n".join(_state_lines(state))),
        )
    return table


def as_record(state: ModelState) -> dict[str, Any]:
    """Return the same as plain values for JSON."""
    entry, module, choice = state.entry, state.module, state.choice
    preparation = None if state.preparation is None else asdict(state.preparation)
    if preparation is not None:
        preparation["compared"] = preparation["compared"].isoformat()
    return {
        "name": entry.name,
        "title": entry.title,
        "group": entry.group.value,
        "classes": entry.classes,
        "features": entry.features,
        "version": entry.version,
        "licence": entry.licence,
        "handle": entry.handle,
        "folder": None if module is None else str(module.folder),
        "format": None if module is None else module.format,
        "checksum": None if module is None else module.checksum,
        "runtime": None if choice is None else _runtime(state),
        "reason": None if choice is None else choice.reason,
        "preparation": preparation,
        "problem": state.problem,
    }


def describe_preparation(found: Preparation) -> str:
    """Say in one sentence what a comparison found."""
    if found.agreement is None or found.greatest_difference is None:
        numbers = "OpenVINO gave no answer to compare"
    else:
        numbers = (
            f"top-1 agrees on {100 * found.agreement:.4g} %, "
            f"greatest difference {found.greatest_difference:.1g}"
        )
    return (
        f"{found.photos} photos: {numbers} (OpenVINO {found.openvino} {found.precision}, "
        f"TensorFlow {found.tensorflow}, {found.compared:%Y-%m-%d})"
    )


def _runtime(state: ModelState) -> str:
    match state.choice:
        case None:
            return "-"
        case RuntimeChoice(runtime="tensorflow"):
            return "tensorflow"
        case choice:
            return f"{choice.runtime} {choice.precision}"


def _state_lines(state: ModelState) -> list[str]:
    if state.module is None:
        return [str(state.problem)]
    lines = []
    if state.preparation is None:
        lines.append(str(state.unprepared))
    else:
        lines.append(describe_preparation(state.preparation))
        if state.preparation.reason is not None:
            lines.append(f"TensorFlow serves it: {state.preparation.reason}")
    lines.append(f"{_FORMATS[state.module.format]} in {state.module.folder}")
    return lines
