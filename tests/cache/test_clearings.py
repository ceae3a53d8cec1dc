"""What one process has cleared another one does not have in memory any more."""

from __future__ import annotations

from pathlib import Path

from tests.cache.remembered import key_of, record_of
from ttsctl.cache.clearings import Clearings
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache


def test_news_is_told_once(tmp_path: Path) -> None:
    ours, theirs = Clearings(tmp_path), Clearings(tmp_path)
    assert not theirs.is_news()
    ours.note()
    assert theirs.is_news()
    assert not theirs.is_news()
    assert not ours.is_news()


def test_a_folder_that_is_not_there_has_no_news(tmp_path: Path) -> None:
    clearings = Clearings(tmp_path / "none")
    clearings.note()
    assert not clearings.is_news()


def test_what_one_cache_has_cleared_the_other_forgets(tmp_path: Path) -> None:
    """A daemon keeps in memory what `ttsctl cache clear` removes from the disk."""
    folder = tmp_path / "cache"
    with Cache(folder, CacheLimits()) as daemon, Cache(folder, CacheLimits()) as command:
        daemon.put(key_of("secret"), record_of())
        daemon.flush()
        assert daemon.get(key_of("secret")) is not None
        assert command.clear().entries == 1
        assert daemon.get(key_of("secret")) is None
        daemon.put(key_of("next"), record_of())
        assert daemon.get(key_of("next")) is not None
