"""Everybody gets a turn, nobody gets the whole queue, and the count of those ahead is true."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contracts import Requester
from engine.workers.admission import FairQueue

MOST_BYTES = 1000


def of(server: int | None, member: int) -> Requester:
    return Requester(server=server, member=member)


def filled(*names: str, limit: int = 1000) -> FairQueue[str]:
    """Return a queue of items like ``"1a0"``: server 1, its member a, their first."""
    queue: FairQueue[str] = FairQueue(limit, MOST_BYTES)
    for name in names:
        queue.push(name, of(int(name[0]), ord(name[1])))
    return queue


def test_servers_take_turns() -> None:
    queue = filled("1a0", "1a1", "1a2", "2a0", "3a0", "2a1")
    assert queue.clear() == ["1a0", "2a0", "3a0", "1a1", "2a1", "1a2"]


def test_the_members_of_a_server_take_turns() -> None:
    queue = filled("1a0", "1a1", "1a2", "1b0", "1c0")
    assert queue.clear() == ["1a0", "1b0", "1c0", "1a1", "1a2"]


def test_many_members_win_their_server_no_more_turns() -> None:
    queue = filled("1a0", "1b0", "1c0", "1d0", "2a0", "2a1")
    assert queue.clear() == ["1a0", "2a0", "1b0", "2a1", "1c0", "1d0"]


def test_in_direct_messages_each_member_is_a_server_of_their_own() -> None:
    queue: FairQueue[str] = FairQueue(100, MOST_BYTES)
    for name, requester in (
        ("first", of(None, 1)),
        ("second", of(None, 1)),
        ("other", of(None, 2)),
        ("server", of(1, 3)),
    ):
        queue.push(name, requester)
    assert queue.clear() == ["first", "other", "server", "second"]


def test_requests_of_nobody_are_first_come_first_served_up_to_the_limit() -> None:
    queue: FairQueue[int] = FairQueue(3, MOST_BYTES)
    for number in range(3):
        assert queue.refusal(None) is None
        queue.push(number, None)
    refusal = queue.refusal(None)
    assert refusal is not None
    assert refusal.turns == 3
    assert queue.clear() == [0, 1, 2]


def test_what_waits_holds_so_many_bytes_together_or_is_a_single_one() -> None:
    queue: FairQueue[str] = FairQueue(100, MOST_BYTES)
    assert queue.refusal(None, 5 * MOST_BYTES) is None
    queue.push("huge", None, 5 * MOST_BYTES)
    assert queue.refusal(None) is not None
    assert queue.pop() == "huge"
    for name in ("first", "second"):
        assert queue.refusal(None, MOST_BYTES // 2) is None
        queue.push(name, None, MOST_BYTES // 2)
    assert queue.refusal(None) is None
    refusal = queue.refusal(of(1, 1), 1)
    assert refusal is not None
    assert refusal.turns == 2
    queue.remove("first")
    assert queue.refusal(of(1, 1), MOST_BYTES // 2) is None
    queue.clear()
    assert queue.refusal(None, MOST_BYTES) is None


def test_nobody_gets_all_the_bytes_either() -> None:
    queue: FairQueue[str] = FairQueue(100, MOST_BYTES)
    flooder, neighbour, stranger = of(1, 1), of(1, 2), of(2, 3)
    queue.push("first", flooder, 150)
    assert queue.refusal(flooder, 60) is None
    refusal = queue.refusal(flooder, 70)
    assert refusal is not None
    assert (refusal.reason, refusal.turns) == ("1 photo of yours is waiting.", 1)
    queue.push("second", neighbour, 300)
    refusal = queue.refusal(of(1, 4), 500)
    assert refusal is not None
    assert refusal.reason == "2 photos of this server are waiting."
    assert queue.refusal(stranger, 500) is None
    queue.clear()
    assert queue.refusal(flooder, MOST_BYTES) is None


def test_what_is_tried_again_comes_first() -> None:
    queue = filled("1a0", "2a0")
    queue.push_again("9z9")
    assert [queue.ahead(name) for name in ("9z9", "1a0", "2a0")] == [0, 1, 2]
    assert queue.clear() == ["9z9", "1a0", "2a0"]


def test_what_was_taken_out_is_not_served() -> None:
    queue = filled("1a0", "1a1", "2a0")
    queue.push_again("9z9")
    for name in ("1a0", "2a0", "9z9", "absent"):
        queue.remove(name)
    assert "1a0" not in queue
    assert queue.clear() == ["1a1"]


@pytest.mark.parametrize(
    ("asker", "said", "turns"),
    [
        (of(1, ord("a")), "2 photos of yours are waiting.", 5),
        (of(1, ord("c")), "4 photos of this server are waiting.", 5),
        (of(2, ord("z")), None, None),
    ],
)
def test_a_refusal_says_whose_photos_are_in_the_way(
    asker: Requester, said: str | None, turns: int | None
) -> None:
    queue = filled("1a0", "1a1", "1b0", "1d0", "2e0", limit=9)
    refusal = queue.refusal(asker)
    assert (refusal and refusal.reason, refusal and refusal.turns) == (said, turns)


def flood(queue: FairQueue[int], requesters: list[Requester]) -> None:
    """Have every one of ``requesters`` ask until they are refused."""
    for number, requester in zip(count(), requesters * 100, strict=False):
        if queue.refusal(requester) is None:
            queue.push(number, requester)


# Each flood takes half of what is free.
@settings(max_examples=30, deadline=None)
@given(st.integers(32, 200), st.integers(1, 5), st.integers(1, 30))
def test_floods_leave_room_for_who_has_not_asked_yet(
    limit: int, servers: int, members: int
) -> None:
    queue: FairQueue[int] = FairQueue(limit, MOST_BYTES)
    flood(
        queue, [of(server, 100 * server + n) for server in range(servers) for n in range(members)]
    )
    assert queue.refusal(of(99, 99)) is None
    queue.push(-1, of(99, 99))
    assert queue.ahead(-1) <= servers


_ASKERS = st.none() | st.builds(
    Requester, server=st.none() | st.integers(0, 3), member=st.integers(0, 3)
)


@settings(deadline=None)
@given(st.lists(_ASKERS | st.sampled_from(["pop", "remove", "again"]), max_size=60), st.randoms())
def test_the_count_of_those_ahead_is_the_order_in_which_they_are_served(steps, random) -> None:  # type: ignore[no-untyped-def]
    queue: FairQueue[int] = FairQueue(1000, MOST_BYTES)
    waiting: set[int] = set()
    for number, step in enumerate(steps):
        if step == "pop" and waiting:
            waiting.remove(queue.pop())
        elif step == "remove" and waiting:
            chosen = random.choice(sorted(waiting))
            waiting.remove(chosen)
            queue.remove(chosen)
        elif step == "again":
            queue.push_again(number)
            waiting.add(number)
        elif not isinstance(step, str):
            queue.push(number, step)
            waiting.add(number)
    assert len(queue) == len(waiting)
    ahead = {item: queue.ahead(item) for item in waiting}
    assert queue.clear() == sorted(waiting, key=ahead.__getitem__)
    assert sorted(ahead.values()) == list(range(len(waiting)))
    assert not len(queue)
