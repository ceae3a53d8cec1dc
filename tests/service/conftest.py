"""Services of their own for tests, with workers that are real and few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.clients import Client
from ttsctl.cache.eviction import CacheLimits
from ttsctl.service.assembly import ServiceConfig, make_service
from ttsctl.service.service import Service, ServiceLimits

MakeService = Callable[..., Service]


@pytest.fixture(name="make_service")
def _make_service(tmp_path: Path) -> Iterator[MakeService]:
    """Makes services from their limits; they share a cache folder."""
    made: list[Service] = []

    def make(*, is_cached: bool = True, **limits: object) -> Service:
        folder = tmp_path / "cache" if is_cached else None
        made.append(make_service(ServiceConfig(ServiceLimits(**limits), folder, CacheLimits())))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for service in made:
        service.stop(0.0)


@pytest.fixture(name="service")
def _service(make_service: MakeService) -> Service:
    return make_service()


@pytest.fixture(name="client")
def _client(service: Service) -> Client:
    return Client(service)
