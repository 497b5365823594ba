"""The store that a name means: a file's path, or the URL of a server."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from breakeven.cache.sqlite_store import SqliteStore
from breakeven.errors import Unavailable

if TYPE_CHECKING:
    from breakeven.cache.valkey_store import ValkeyStore

SCHEMES: Final = ("valkey://", "valkeys://", "redis://", "rediss://")


def is_server(name: str) -> bool:
    """Whether a name is the URL of a server."""
    return name.startswith(SCHEMES)


def open_store(name: str, *, max_bytes: int, memory_bytes: int) -> SqliteStore | ValkeyStore:
    """Open a store within the event loop that will use it. A server's own settings bound what is kept there.

    Raises:
        InputError: it is no cache file, or no URL of a server.
        Unavailable: the file cannot be used now, or the optional part for servers is not installed.
    """
    if is_server(name):
        return server(name, memory_bytes=memory_bytes)
    return SqliteStore.open(Path(name), max_bytes=max_bytes, memory_bytes=memory_bytes)


async def flush_server(url: str, tenant: str | None) -> int:
    """Forget the answers of a tenant, or of everyone, on a server; their epoch from now on.

    Raises:
        InputError: no URL of a server.
        Unavailable: it cannot be reached, or the optional part is not installed.
    """
    store = server(url, memory_bytes=0)
    try:
        flushed = await store.flush(tenant) if await store.connected() else None
        if flushed is None:
            raise Unavailable(
                "the cache's server did not answer", cause=store.failure, hint="check that it runs, and its URL"
            )
        return flushed
    finally:
        await store.close()


def server(url: str, *, memory_bytes: int) -> ValkeyStore:
    """A store on a Valkey or Redis server; it need not be there yet.

    Raises:
        InputError: no URL of a server.
        Unavailable: the optional part is not installed.
    """
    try:
        module = import_module("breakeven.cache.valkey_store")
    except ImportError as error:
        raise Unavailable(
            "a cache on a Valkey or Redis server needs an optional part", hint="pip install 'breakeven[valkey]'"
        ) from error
    store: ValkeyStore = module.ValkeyStore(url, memory_bytes=memory_bytes)
    return store
