"""A speaker without processes, and manners to speak in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes import InProcessSynthesizer
from ttsctl.cache.eviction import CacheLimits
from ttsctl.cache.tiers import Cache
from ttsctl.speech import Voice
from ttsctl.workflows.plan import Manner
from ttsctl.workflows.speak import Speaker

MakeSpeaker = Callable[..., Speaker]


@pytest.fixture(name="manner")
def _manner(tone: Voice) -> Manner:
    return Manner(tone, "und")


@pytest.fixture(name="make_speaker")
def _make_speaker(tmp_path: Path) -> Iterator[MakeSpeaker]:
    """Makes speakers that share one cache folder, as commands do."""
    made: list[Speaker] = []

    def make(**options: bool) -> Speaker:
        cache = Cache(tmp_path / "cache", CacheLimits())
        made.append(Speaker(InProcessSynthesizer(), cache, **options))
        return made[-1]

    yield make
    for speaker in made:
        speaker.close()


@pytest.fixture(name="speaker")
def _speaker(make_speaker: MakeSpeaker) -> Speaker:
    return make_speaker()
