"""The tier in memory."""

from __future__ import annotations

import threading
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.cache.remembered import record_of
from ttsctl.cache.memory import MemoryTier
from ttsctl.speech import Word

LIMIT_BYTES = 20_000


def test_what_was_put_is_there() -> None:
    tier = MemoryTier(LIMIT_BYTES)
    tier.put("a", record_of(b"one"))

    assert tier.get("a") == record_of(b"one")
    assert tier.get("b") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 25_000)), max_size=40))
def test_it_never_holds_more_than_its_limit(steps: list[tuple[int, int]]) -> None:
    tier = MemoryTier(LIMIT_BYTES)
    for name, size_bytes in steps:
        tier.put(str(name), record_of(bytes(size_bytes)))
        held = sum(len(r.payload) for n in range(10) if (r := tier.get(str(n))))
        assert held <= tier.size_bytes <= LIMIT_BYTES
    tier.clear()

    assert tier.size_bytes == 0
    assert not any(tier.get(str(name)) for name in range(10))


def test_words_count_as_what_they_are() -> None:
    tier = MemoryTier(LIMIT_BYTES)
    tier.put("a", replace(record_of(b"one"), words=(Word("so", 0.0, 1.0),) * 100))
    assert tier.get("a") is None
    tier.put("b", replace(record_of(b"one"), words=(Word("so", 0.0, 1.0),) * 10))
    assert tier.get("b") is not None
    assert tier.size_bytes > 2000


def test_the_record_used_last_stays() -> None:
    tier = MemoryTier(LIMIT_BYTES)
    for name in "abc":
        tier.put(name, record_of(bytes(5000)))
    tier.get("a")
    tier.put("d", record_of(bytes(5000)))

    assert [name for name in "abcd" if tier.get(name)] == ["a", "c", "d"]


def test_a_record_larger_than_the_tier_is_not_kept_and_replaces_its_elder() -> None:
    tier = MemoryTier(LIMIT_BYTES)
    tier.put("a", record_of(b"small"))
    tier.put("a", record_of(bytes(LIMIT_BYTES)))

    assert tier.get("a") is None


def test_threads_may_share_it() -> None:
    tier = MemoryTier(LIMIT_BYTES)
    wrong: list[bytes] = []

    def work() -> None:
        for step in range(2000):
            name = str(step % 7)
            tier.put(name, record_of(name.encode() * 2000))
            if (found := tier.get(name)) and set(found.payload) != set(name.encode()):
                wrong.append(found.payload)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert tier.size_bytes <= LIMIT_BYTES
