"""Topic Filters with wildcards, kept so that a Topic Name finds all that match it at once (chapter 4.7)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["FilterTree"]

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class _Node(Generic[KeyT, ValueT]):
    """One level: what comes below it, and who has a filter that ends here."""

    __slots__ = ("children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node[KeyT, ValueT]] = {}
        self.here: dict[KeyT, ValueT] = {}


class FilterTree(Generic[KeyT, ValueT]):
    """A value for each pair of filter and key. Filters must be valid.

    Looking up a topic visits no more nodes than there are, and only those that its levels, ``+`` and ``#`` lead to.
    """

    __slots__ = ("_root", "_size")

    def __init__(self) -> None:
        self._root: _Node[KeyT, ValueT] = _Node()
        self._size = 0

    def __len__(self) -> int:
        """How many pairs there are."""
        return self._size

    def set(self, topic_filter: str, key: KeyT, value: ValueT) -> None:
        """Add a pair, or replace its value."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        self._size += key not in node.here
        node.here[key] = value

    def discard(self, topic_filter: str, key: KeyT) -> None:
        """Take a pair out, and the levels that only it needed; it need not have been there."""
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            below = path[-1].children.get(level)
            if below is None:
                return
            path.append(below)
        if key not in path[-1].here:
            return
        del path[-1].here[key]
        self._size -= 1
        for parent, level, node in zip(path[-2::-1], reversed(levels), reversed(path), strict=False):
            if node.here or node.children:
                return
            del parent.children[level]

    def matching(self, topic: str) -> Iterator[tuple[KeyT, ValueT]]:
        """Every pair whose filter matches a Topic Name; wildcards do not match a first level with ``$`` [MQTT-4.7.2-1].

        The tree must not change meanwhile.
        """
        nodes = [self._root]
        wild = not topic.startswith("$")
        for level in topic.split("/"):
            below = []
            for node in nodes:
                if wild:
                    if "#" in node.children:
                        yield from node.children["#"].here.items()
                    if "+" in node.children:
                        below.append(node.children["+"])
                if level in node.children:
                    below.append(node.children[level])
            nodes = below
            wild = True
        for node in nodes:
            yield from node.here.items()
            if "#" in node.children:  # which stands for the parent level too
                yield from node.children["#"].here.items()
