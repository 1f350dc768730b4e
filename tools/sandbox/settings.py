"""What can be set: the application's portal page, and Discord's clocks and limits."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
PRIVILEGED = frozenset({"members", "presences", "message_content"})


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a person would set in the developer portal, and Discord's own clocks and limits.

    ``privileged`` names the privileged intents switched on for the application
    (``members``, ``presences``, ``message_content``). Times are in seconds, sizes in bytes.
    """

    privileged: frozenset[str] = PRIVILEGED
    acknowledge_within: float = 3.0
    token_lifetime: float = 900.0
    heartbeat_interval: float = 41.25
    upload_limit: int = 10 * MIB
    attachment_lifetime: float = 86_400.0
    shards: int = 1

    def __post_init__(self) -> None:
        unheard = set(self.privileged) - PRIVILEGED
        if unheard:
            raise ValueError(
                f"no privileged intent is called {', '.join(sorted(unheard))}; "
                f"there are {', '.join(sorted(PRIVILEGED))}"
            )
