"""Start the bot in a sandbox, with no model, and print what of the pixels' it imported."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine import Engine, EngineSettings
from tools.sandbox import Sandbox
from tools.sandboxed import sandbox_settings, sandboxed_bot

HEAVY = ("tensorflow", "tensorflow_hub", "openvino", "PIL", "numpy", "sklearn", "scipy")


async def main(folder: Path) -> None:
    engine = Engine(EngineSettings(home=folder))
    async with (
        Sandbox() as sandbox,
        sandboxed_bot(sandbox, engine, sandbox_settings(folder)),
    ):
        print("ready", [name for name in HEAVY if name in sys.modules])  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
