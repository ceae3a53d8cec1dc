"""The cache behaves like a dictionary with losses, and never exceeds its size.

After Hypothesis' own tests of its cache.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.cache.remembered import FakeClock, key_of, payload_of, record_of, value_files
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache

LIMITS = CacheLimits(memory_bytes=8_000, disk_bytes=40_000, ttl_s=1000)
names = st.integers(0, 11)


class CacheAgainstDictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.folder = self.home / "cache"
        self.clock = FakeClock()
        self.latest: dict[int, bytes] = {}
        self.made_s: dict[int, float] = {}
        self.pinned: set[int] = set()
        self.safe: set[int] = set()  # pinned when stored, or stored when pinned, and never harmed
        self.open()

    def open(self) -> None:
        self.cache = Cache(self.folder, LIMITS, clock=self.clock)

    @rule(name=names, size_bytes=st.integers(0, 2_500))
    def put(self, name: int, size_bytes: int) -> None:
        payload = bytes([name]) * size_bytes
        self.cache.put(key_of(name), record_of(payload, created_s=self.clock()))
        self.latest[name], self.made_s[name] = payload, self.clock()
        self.safe.discard(name)
        if name in self.pinned and size_bytes <= 1_500:
            self.safe.add(name)

    @rule(name=names)
    def get(self, name: int) -> None:
        found = payload_of(self.cache, name)

        assert found in (None, self.latest.get(name))
        if found is not None and self.clock() >= self.made_s[name] + 1000:
            assert name in self.pinned

    @rule(name=names)
    def get_what_is_pinned(self, name: int) -> None:
        self.cache.flush()
        if name in self.safe & self.pinned:
            assert payload_of(self.cache, name) == self.latest[name]

    @rule(name=names)
    def pin(self, name: int) -> None:
        if len(self.pinned) < 4:
            self.cache.pin(key_of(name))
            self.pinned.add(name)

    @rule(name=names)
    def unpin(self, name: int) -> None:
        self.cache.unpin(key_of(name))
        self.pinned.discard(name)
        self.safe.discard(name)

    @rule(seconds=st.sampled_from([1, 300]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def reopen(self) -> None:
        self.cache.close()
        self.open()

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        for name in set(self.latest) - self.pinned:
            assert payload_of(self.cache, name) is None

    @rule(max_bytes=st.integers(0, 40_000))
    def prune(self, max_bytes: int) -> None:
        self.cache.prune(max_bytes=max_bytes)

    @rule(data=st.data())
    def damage_a_value(self, data: st.DataObject) -> None:
        self.cache.flush()
        files = value_files(self.folder)
        if files:
            file = data.draw(st.sampled_from(files))
            file.write_bytes(file.read_bytes()[:-1] + b"?")
            self.safe.clear()

    @rule()
    def verify(self) -> None:
        self.cache.verify(fix=True)
        assert self.cache.verify(fix=False) == []

    @invariant()
    def it_keeps_to_its_size(self) -> None:
        self.cache.flush()
        assert sum(path.stat().st_size for path in value_files(self.folder)) <= LIMITS.disk_bytes

    def teardown(self) -> None:
        self.cache.close()
        shutil.rmtree(self.home)


TestCacheAgainstDictionary = CacheAgainstDictionary.TestCase
TestCacheAgainstDictionary.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
