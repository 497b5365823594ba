"""Where answers are remembered: as the configuration says, or nowhere, since what is wrong with it stops no request."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from breakeven.cache import stores
from breakeven.cache.counters import CacheCounters
from breakeven.cache.response_store import ResponseStore, StoredAnswer
from breakeven.errors import BreakevenError
from breakeven.gateway.cache_config import CacheSettings
from breakeven.gateway.config import GatewayConfig
from breakeven.pipeline.other_wordings import OtherWordings

LOG: Final = logging.getLogger("breakeven.gateway")


class NoStore:
    """A `ResponseStore` that keeps nothing: requests still share what is under way. ``failure`` says why."""

    def __init__(self, failure: str) -> None:
        self.counters = CacheCounters()
        self.failure: str | None = failure

    async def get(self, _key: bytes, _now_ns: int) -> StoredAnswer | None:
        """Nothing."""
        return None

    def put(self, _key: bytes, _answer: StoredAnswer) -> None:
        """Keep nothing."""

    async def epoch(self, _tenant: str) -> int:
        """Nothing was ever flushed."""
        return 0

    async def close(self) -> None:
        """Nothing is open."""


def open_store(settings: CacheSettings, ledger: Path) -> ResponseStore:
    """The store of these settings; one that keeps nothing where it cannot be opened, which is logged.

    A server need not be there: until it is, nothing is looked up.
    """
    name = settings.server or settings.file or str(cache_path(ledger))
    try:
        return stores.open_store(name, max_bytes=settings.max_bytes, memory_bytes=settings.memory_bytes)
    except BreakevenError as error:
        LOG.error("answers are not remembered: %s (%s)", error.message, error.cause or error.hint or "no cause")
        return NoStore(error.message)


def cache_path(ledger: Path) -> Path:
    """The cache beside a ledger: ``breakeven-cache.db`` beside ``breakeven.db``."""
    return ledger.with_name(f"{ledger.stem}-cache.db")


def open_semantic(config: GatewayConfig, ledger: Path, store: ResponseStore) -> OtherWordings | None:
    """Answers of a store to other wordings, where a model has them.

    The evidence is in the cache's file, or where that would be if the cache is a server.

    Raises:
        Unavailable: the embedding model is not installed.
    """
    if all(model.semantic is None or model.semantic.mode == "off" for model in config.models):
        return None
    from breakeven.pipeline.semantic import SemanticAnswers  # noqa: PLC0415 - an optional part, which needs numpy

    return SemanticAnswers.open(Path(config.cache.file) if config.cache.file else cache_path(ledger), store)
