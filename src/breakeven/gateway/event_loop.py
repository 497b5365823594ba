"""The event loop that the gateway runs on, and what the process needs of the system for it."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine
from typing import Any, Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
TRIM_BYTES: Final = 16 * 1024 * 1024
MMAP_BYTES: Final = 4 * 1024 * 1024
YOUNG_OBJECTS: Final = 10_000
OLDER_COLLECTIONS: Final = 20
OPEN_FILES: Final = 65_536


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a program on uvloop, or on asyncio's own loop where there is none (Windows)."""
    _keep_heap()
    _allow_sockets()
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def settle_heap() -> None:
    """Leave what was made so far, which lasts, out of every later garbage collection, and collect less often.

    Call it once, when all is ready to serve. Otherwise a full collection looks at all price lists and modules while
    every request waits: 50 ms at the 99th percentile. A request that has ended leaves nothing in cycles, so there is
    little to collect.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, OLDER_COLLECTIONS, OLDER_COLLECTIONS)


def _keep_heap() -> None:
    """Let glibc keep freed memory for the next prompt of some hundred kilobytes.

    By default each such prompt is mapped anew and given back, and most of its time goes into page faults: 4 times the
    work at 400 KB. At most ``TRIM_BYTES`` are kept.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def _allow_sockets() -> None:
    """Open files up to what the system allows us: each connection is one, and many systems begin with 1,024."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 (Windows has none)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
