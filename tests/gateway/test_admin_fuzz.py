"""The admin API against its own document: no 5xx, no status and no shape that the document does not have."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from gateway.serving import ADMIN, Served, serving


class Running:
    """A served gateway in a thread of its own, as schemathesis asks from this one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.served: Served
        self._thread.start()
        assert self._ready.wait(20)

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with serving(self._folder) as served:
            self.served = served
            self._ready.set()
            await self._stop.wait()

    def close(self) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    found = Running(tmp_path_factory.mktemp("admin"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def schema(running: Running) -> Any:
    found = schemathesis.openapi.from_url(
        f"{running.served.url}/admin/openapi.json", headers={"authorization": f"Bearer {ADMIN}"}
    )
    # 422: well formed, and cannot be done, such as a time zone that does not exist.
    found.config.checks.positive_data_acceptance.expected_statuses += ["422"]
    return found


def test_the_document_is_openapi_3_1(schema: Any) -> None:
    schema.validate()
    assert schema.raw_schema["openapi"].startswith("3.1")
    assert sum(len(methods) for methods in schema.raw_schema["paths"].values()) == 14


def test_every_answer_is_documented(schema: Any) -> None:
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=12,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def check(case: schemathesis.Case) -> None:
                answer = case.call_and_validate(
                    headers={"authorization": f"Bearer {ADMIN}"}, excluded_checks=[ignored_auth]
                )
                assert ADMIN not in answer.text
                assert "Traceback" not in answer.text

            check()
