"""The tree of filters finds what the rule for one filter says, and keeps nothing of what is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqttws.endpoint.filters import FilterTree
from mqttws.topics import matches

LEVELS = st.sampled_from(["", "a", "b", "$x"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = (
    st.tuples(st.lists(LEVELS | st.just("+"), max_size=4), st.sampled_from([[], ["#"], ["+"]]))
    .map(lambda parts: "/".join([*parts[0], *parts[1]]))
    .filter(bool)
)


@given(st.lists(FILTERS, max_size=12), st.lists(st.integers(0, 11), max_size=12), TOPICS)
def test_it_finds_what_the_rule_for_one_filter_says(filters: list[str], gone: list[int], topic: str) -> None:
    tree: FilterTree[int, str] = FilterTree()
    for number, topic_filter in enumerate(filters):
        tree.set(topic_filter, number, topic_filter)
    for number in gone:
        if number < len(filters):
            tree.discard(filters[number], number)
    left = {number: topic_filter for number, topic_filter in enumerate(filters) if number not in gone}
    assert len(tree) == len(left)
    found = sorted(tree.matching(topic))
    assert found == [(number, name) for number, name in left.items() if matches(name, topic)]


def test_a_value_is_replaced_and_nothing_is_kept_of_what_is_gone() -> None:
    tree: FilterTree[str, int] = FilterTree()
    tree.set("a/+/c", "x", 1)
    tree.set("a/+/c", "x", 2)
    tree.set("a/#", "y", 3)
    assert list(tree.matching("a/b/c")) == [("y", 3), ("x", 2)]
    tree.discard("a/+", "x")
    tree.discard("a/+/c", "stranger")
    tree.discard("b/c", "x")
    assert len(tree) == 2
    tree.discard("a/+/c", "x")
    tree.discard("a/#", "y")
    assert len(tree) == 0
    assert tree._root.children == {}
