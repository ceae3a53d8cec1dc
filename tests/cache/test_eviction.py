"""What goes when the cache is full."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.cache.remembered import record_of
from ttsctl.cache.eviction import CacheLimits, Entry, unused_since, victims

NOW_S = 1000.0


def entry(key: str, size_bytes: int = 10, last_used_s: float = 0.0, pinned: bool = False) -> Entry:
    return Entry(key, size_bytes, last_used_s, pinned, record_of(created_s=0.0).metadata)


stores = st.lists(
    st.builds(
        entry,
        key=st.integers().map(str),
        size_bytes=st.integers(1, 50),
        last_used_s=st.floats(0, NOW_S),
        pinned=st.booleans(),
    ),
    unique_by=lambda entry: entry.key,
    max_size=20,
)
limits = st.builds(
    CacheLimits,
    disk_bytes=st.integers(1, 500),
    max_entries=st.none() | st.integers(1, 10),
    ttl_s=st.none() | st.floats(1, 2 * NOW_S),
)


@given(stores, limits)
def test_what_is_left_is_within_the_limits_or_pinned(
    store: list[Entry], limit: CacheLimits
) -> None:
    gone = victims(store, limit, NOW_S)
    left = [entry for entry in store if entry not in gone]

    within = not limit.is_exceeded(len(left), sum(entry.size_bytes for entry in left))
    assert within or all(entry.pinned for entry in left)


@given(stores, limits)
def test_the_pinned_and_the_newest_never_go(store: list[Entry], limit: CacheLimits) -> None:
    newest = store[0].key if store else None
    gone = victims(store, limit, NOW_S, newest)

    assert not any(entry.pinned or entry.key == newest for entry in gone)


@given(stores, limits)
def test_nobody_goes_before_one_that_was_used_earlier(
    store: list[Entry], limit: CacheLimits
) -> None:
    limit = replace(limit, ttl_s=None)
    gone = victims(store, limit, NOW_S)
    stays = [entry for entry in store if entry not in gone and not entry.pinned]

    assert max((e.last_used_s for e in gone), default=0) <= min(
        (e.last_used_s for e in stays), default=NOW_S
    )


@given(stores)
def test_nothing_goes_while_there_is_room(store: list[Entry]) -> None:
    roomy = CacheLimits(disk_bytes=sum(e.size_bytes for e in store), max_entries=len(store))

    assert victims(store, roomy, NOW_S) == []


def test_the_expired_go_first_and_without_need() -> None:
    old, young = entry("old", last_used_s=NOW_S), entry("young")
    young = replace(young, metadata=replace(young.metadata, created_s=NOW_S - 1))

    assert victims([young, old], CacheLimits(ttl_s=60), NOW_S) == [old]


def test_a_full_cache_is_emptied_by_a_tenth_and_no_more() -> None:
    store = [entry(str(n), last_used_s=n) for n in range(101)]

    assert len(victims(store, CacheLimits(disk_bytes=1000), NOW_S)) == 11


def test_the_idle_are_those_not_used_since_unless_pinned() -> None:
    store = [entry("idle", last_used_s=1), entry("used", last_used_s=9), entry("kept", pinned=True)]

    assert [entry.key for entry in unused_since(store, 5)] == ["idle"]
