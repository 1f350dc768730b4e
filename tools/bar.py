"""A bar that shows on a terminal how far a command is, and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

_Item = TypeVar("_Item")


class Bar(Progress):
    """A bar on standard error, for one thing after another; standard output is for results.

    ``columns`` stand behind it, by default how many of how many, and the time it will take.
    """

    def __init__(self, *columns: ProgressColumn) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *(columns or (MofNCompleteColumn(), TimeRemainingColumn())),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self.add_task("", total=None, visible=False)

    def show(self, what: str, done: int, total: int | None) -> None:
        """Show that ``what`` is ``done`` so far; without a ``total``, that it goes on."""
        self.update(self._task, description=what, completed=done, total=total, visible=True)


def counted(items: Collection[_Item], what: str) -> Iterator[_Item]:
    """Give each of the items, and show how many of them are done."""
    with Bar() as bar:
        for done, item in enumerate(items):
            bar.show(what, done, len(items))
            yield item
