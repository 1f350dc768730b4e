"""Whose request is next: servers take turns, and within a server its members do.

So a server or member with a thousand photos delays another's single photo by one turn. How
many may wait is bounded for each of them by what is still free, which leaves room for those
who have not asked yet without setting places aside that nobody uses.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from engine.contracts import Requester

_MEMBERS_SHARE = 4

_Key: TypeAlias = tuple[Hashable, Hashable]
_NOBODY: _Key = (None, None)

T = TypeVar("T", bound=Hashable)


class Ticket:
    """A request's number in the queue, for whoever waits for the answer to look at."""

    def __init__(self) -> None:
        self._count: Callable[[], int | None] = lambda: None

    def issue(self, count: Callable[[], int | None]) -> None:
        """Have ``count`` say how many are ahead from now on."""
        self._count = count

    @property
    def ahead(self) -> int | None:
        """How many requests come before this one; None where it does not wait."""
        return self._count()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request may not wait, and after how many turns what stands in its way is through."""

    reason: str
    turns: int


class FairQueue(Generic[T]):
    """A bounded queue that serves servers in turn, and the members of each in turn.

    Requests of nobody in particular form a line of their own that only ``limit`` bounds. All that
    wait hold ``most_bytes`` together, or are a single one.
    """

    def __init__(self, limit: int, most_bytes: int) -> None:
        self._limit = limit
        self._most_bytes = most_bytes
        self._sizes: dict[T, int] = {}
        self._bytes_of_server: Counter[Hashable] = Counter()
        self._bytes_of_member: Counter[Hashable] = Counter()
        self._again: deque[T] = deque()
        self._servers: OrderedDict[Hashable, OrderedDict[Hashable, deque[T]]] = OrderedDict()
        self._keys: dict[T, _Key] = {}
        self._of_server: Counter[Hashable] = Counter()
        self._of_member: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._again) + len(self._keys)

    def __contains__(self, item: T) -> bool:
        return item in self._keys or item in self._again

    def refusal(self, requester: Requester | None, size: int = 0) -> Refusal | None:
        """Return why a request of ``requester`` may not wait, or None where it may.

        A server may have as many waiting as places are free, a member a quarter of that; and more
        than one only in as many bytes as are free, or a quarter. ``size`` is in bytes, 0 where it
        is not known yet.
        """
        free, waiting_bytes = self._limit - len(self), self._bytes_of_server.total()
        bytes_free = self._most_bytes - waiting_bytes
        server, member = _key(requester)
        if free <= 0 or (waiting_bytes and size > bytes_free):
            return Refusal("I'm looking at too many photos just now.", len(self))
        if requester is None:
            return None
        much = self._bytes_of_member[member] + size > bytes_free // _MEMBERS_SHARE
        if (waiting := self._of_member[member]) and (
            much or waiting >= max(1, free // _MEMBERS_SHARE)
        ):
            reason = f"{_photos(waiting)} of yours {'is' if waiting == 1 else 'are'} waiting."
            return Refusal(reason, self._turns_of_member(member))
        much = self._bytes_of_server[server] + size > bytes_free
        if (waiting := self._of_server[server]) and (much or waiting >= free):
            reason = f"{_photos(waiting)} of this server {'is' if waiting == 1 else 'are'} waiting."
            return Refusal(reason, self._rank_in_all(server, waiting - 1) + 1)
        return None

    def push(self, item: T, requester: Requester | None, size: int = 0) -> None:
        """Let ``item``, of ``size`` bytes, wait behind the others of its member."""
        server, member = self._keys[item] = _key(requester)
        self._sizes[item] = size
        members = self._servers.setdefault(server, OrderedDict())
        members.setdefault(member, deque()).append(item)
        self._of_server[server] += 1
        self._of_member[member] += 1
        self._bytes_of_server[server] += size
        self._bytes_of_member[member] += size

    def push_again(self, item: T) -> None:
        """Put an item that was served once before all others."""
        self._again.appendleft(item)

    def pop(self) -> T:
        """Take out whose turn it is."""
        if self._again:
            return self._again.popleft()
        server, members = next(iter(self._servers.items()))
        member, items = next(iter(members.items()))
        item = items[0]
        members.move_to_end(member)
        self._servers.move_to_end(server)
        self.remove(item)
        return item

    def remove(self, item: T) -> None:
        """Take ``item`` out, wherever it stands; do nothing where it does not wait."""
        if item not in self._keys:
            if item in self._again:
                self._again.remove(item)
            return
        server, member = self._keys.pop(item)
        size = self._sizes.pop(item)
        members = self._servers[server]
        members[member].remove(item)
        if not members[member]:
            del members[member]
        if not members:
            del self._servers[server]
        for counter, key, less in (
            (self._of_server, server, 1),
            (self._of_member, member, 1),
            (self._bytes_of_server, server, size),
            (self._bytes_of_member, member, size),
        ):
            counter[key] -= less
            if not counter[key]:
                del counter[key]

    def ahead(self, item: T) -> int:
        """Count the items that come before ``item`` if none joins meanwhile."""
        if item not in self._keys:
            return self._again.index(item)
        server, member = self._keys[item]
        place = self._servers[server][member].index(item)
        return len(self._again) + self._rank(server, member, place)

    def clear(self) -> list[T]:
        """Take everything out."""
        return [self.pop() for _ in range(len(self))]

    def _turns_of_member(self, member: Hashable) -> int:
        return 1 + max(
            self._rank(server, member, len(members[member]) - 1)
            for server, members in self._servers.items()
            if member in members
        )

    def _rank(self, server: Hashable, member: Hashable, place: int) -> int:
        members = ((key, len(items)) for key, items in self._servers[server].items())
        return self._rank_in_all(server, _rank(members, member, place))

    def _rank_in_all(self, server: Hashable, place: int) -> int:
        return _rank(((key, self._of_server[key]) for key in self._servers), server, place)


def _key(requester: Requester | None) -> _Key:
    if requester is None:
        return _NOBODY
    if requester.server is None:
        return ("direct", requester.member), requester.member
    return requester.server, requester.member


def _rank(lines: Iterable[tuple[Hashable, int]], key: Hashable, place: int) -> int:
    """Count what comes before the item at ``place`` of line ``key`` when lines take turns.

    ``lines`` are the lines' keys and lengths, in the order of their turns.
    """
    before, rank = True, 0
    for other, length in lines:
        if other == key:
            before, rank = False, rank + place
        else:
            rank += min(length, place + before)
    return rank


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
