"""What the response cache costs a request: the key of its question, a lookup, and keeping an answer.

Lookups are of answers that are there, in random order, in a cache of few and of very many. Beside it stand the standard
library, and peers where they are installed: cachetools in memory, a Redis or Valkey server on loopback.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from measure import Figure, milliseconds, report, scratch

from breakeven.cache import cache_file
from breakeven.cache.memory import MemoryFront, weight_bytes
from breakeven.cache.packing import packed
from breakeven.cache.response_store import StoredAnswer
from breakeven.cache.sqlite_store import SqliteStore
from breakeven.catalog.usage import Usage
from breakeven.policy.cache_key import KEY_BYTES, KeyScope, Served, cache_key, route_identity
from breakeven.policy.cacheability import CacheRule, not_cached
from breakeven.upstreams.question_fields import read_fields

FEW, MANY = 10_000, 1_000_000
LOOKUPS, REPEATS = 2_000, 9
TURNS = {"2.5 KB": 1, "13 KB": 6, "600 KB": 280}
TEXT = "the quick brown fox jumps over a lazy dog while it rains in Zürich and nobody minds at all"
SCOPE = KeyScope("acme", 0, "chat", route_identity([Served("openai", "openai", "gpt-4o-mini")]))


def text(chooser: random.Random, words: int) -> str:
    """Words that no two texts have in one order."""
    return " ".join(chooser.choices(TEXT.split(), k=words))


def question(turns: int) -> bytes:
    """A chat's body, about 2.2 KB a turn."""
    chooser = random.Random(turns)
    said = [{"role": "user" if n % 2 else "assistant", "content": text(chooser, 420)} for n in range(turns)]
    system = {"role": "system", "content": text(chooser, 40)}
    body = {"model": "gpt-4o-mini", "temperature": 0, "max_tokens": 400, "user": "u1", "messages": [system, *said]}
    body |= {"response_format": {"type": "json_object"}}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()  # as the official clients write it


def answer(number: int) -> StoredAnswer:
    """A chat's answer of about 1.75 KB."""
    message = {"role": "assistant", "content": text(random.Random(number), 280), "refusal": None}
    body = {"id": f"chatcmpl-{number:029d}", "object": "chat.completion", "model": "gpt-4o-mini-2024-07-18"}
    body |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    now_ns = time.time_ns()
    return StoredAnswer(
        content_type=b"application/json",
        pieces=(json.dumps(body).encode(),),
        stream=False,
        served_model="gpt-4o-mini",
        deployment="openai",
        provider="openai",
        usage=Usage(input_tokens=800, output_tokens=400),
        processing="standard",
        call_ids=(),
        stored_at_ns=now_ns,
        expires_at_ns=now_ns + 10**15,
    )


def least_us(work: Callable[[], Any], calls: int) -> float:
    """Microseconds of this thread's CPU for one call: the least of several runs of so many."""
    runs = []
    for _ in range(REPEATS):
        begun_s = time.thread_time()
        for _ in range(calls):
            work()
        runs.append(time.thread_time() - begun_s)
    return min(runs) / calls * 1e6


def key_figures() -> Iterator[Figure]:
    """The gate and the key by the length of the question, beside the standard library's JSON with sorted names."""
    for name, turns in TURNS.items():
        body = question(turns)
        fields, calls = read_fields(body), max(3, 400 // turns)
        key_us = least_us(partial(cache_key, SCOPE, fields, {}), calls)
        gate_us = least_us(partial(not_cached, "chat", fields, CacheRule()), calls)
        plain_us = least_us(partial(plain_key, body), calls)
        yield Figure(
            what=f"key of a question of {name}",
            figure=microseconds(key_us),
            target="15 us" if turns == 1 else "",
            beside=f"gate {microseconds(gate_us)}; json.dumps(sort_keys) and SHA-256 {microseconds(plain_us)}",
        )


def plain_key(body: bytes) -> bytes:
    """A key made with the standard library, in which a name that occurs twice goes unseen."""
    return sha256(json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()).digest()


def filled(path: Path, entries: int) -> list[bytes]:
    """A cache file with so many answers; a few thousand of their keys, in random order."""
    kept = [packed(answer(number)) for number in range(500)]
    put = "INSERT INTO answers (key, expires_at_s, used_at_s, answer) VALUES (?, ?, ?, ?)"
    sampled: list[bytes] = []
    with closing(cache_file.connect(path, create=True, busy_timeout_s=1)) as connection:
        connection.execute("PRAGMA cache_size = -262144")
        for start in range(0, entries, FEW):
            keys = [os.urandom(KEY_BYTES) for _ in range(FEW)]
            rows = [(key, 4 * 10**9, 1_790_000_000 + start, kept[n % len(kept)]) for n, key in enumerate(keys)]
            connection.execute("BEGIN")
            connection.executemany(put, rows)
            connection.execute("COMMIT")
            sampled += random.sample(keys, max(1, 4 * LOOKUPS * FEW // entries))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    random.shuffle(sampled)
    return sampled


async def each(get: Callable[[bytes, int], Awaitable[object]], keys: Sequence[bytes]) -> None:
    """Look all up."""
    now_ns = time.time_ns()
    for key in keys:
        if await get(key, now_ns) is None:
            raise SystemExit("an answer is missing")


def lookups_us(get: Callable[[bytes, int], Awaitable[object]], keys: Sequence[bytes]) -> float:
    """Microseconds of CPU for a lookup, other answers in each run."""
    runs = []
    for run in range(REPEATS):
        some = [keys[(run * LOOKUPS + n) % len(keys)] for n in range(LOOKUPS)]
        begun_s = time.thread_time()
        with suppress(StopIteration):
            each(get, some).send(None)  # nothing in it waits
        runs.append(time.thread_time() - begun_s)
    return min(runs) / LOOKUPS * 1e6


def file_lookups(folder: Path, entries: int) -> float:
    """Microseconds for a lookup in a file of so many answers."""
    path = folder / f"{entries}.db"
    keys = filled(path, entries)
    store = SqliteStore.open(path, memory_bytes=0, max_bytes=1 << 40)
    found = lookups_us(store.get, keys)
    asyncio.run(store.close())
    path.unlink()
    return found


class Front:
    """The answers in memory behind the face of a store."""

    def __init__(self, entries: int) -> None:
        one = answer(0)
        self.front = MemoryFront(weight_bytes(one) * (entries + 8))
        self.keys = [os.urandom(KEY_BYTES) for _ in range(entries)]
        for key in self.keys:
            self.front.put(key, one)
        random.shuffle(self.keys)

    async def get(self, key: bytes, now_ns: int) -> object:
        """Look one up."""
        return self.front.get(key, now_ns)


class Cachetools:
    """The same with cachetools' TTLCache, which has a size in answers and one time to live for all."""

    def __init__(self, entries: int) -> None:
        self.cache = import_module("cachetools").TTLCache(maxsize=entries, ttl=10**6)
        self.keys = [os.urandom(KEY_BYTES) for _ in range(entries)]
        one = answer(0)
        for key in self.keys:
            self.cache[key] = one
        random.shuffle(self.keys)

    async def get(self, key: bytes, _now_ns: int) -> object:
        """Look one up."""
        return self.cache.get(key)


def memory_lookups(kind: type[Front] | type[Cachetools]) -> tuple[float, float] | None:
    """Microseconds for a lookup among few and among many; None where the peer is not installed."""
    found = []
    for entries in (FEW, MANY):
        try:
            made = kind(entries)
        except ModuleNotFoundError:
            return None
        found.append(lookups_us(made.get, made.keys))
    return found[0], found[1]


def lookup_figures(folder: Path) -> Iterator[Figure]:
    """Finding an answer in memory and in a file, among few and among many."""
    fields = read_fields(question(1))
    asked_us = least_us(partial(cache_key, SCOPE, fields, {}), 400)
    asked_us += least_us(partial(not_cached, "chat", fields, CacheRule()), 400)
    peer = memory_lookups(Cachetools)
    beside = f"cachetools {' and '.join(map(microseconds, peer))}" if peer else "cachetools is not installed"
    yield found_figure("memory", asked_us, memory_lookups(Front) or (0.0, 0.0), beside)
    yield found_figure("the file", asked_us, (file_lookups(folder, FEW), file_lookups(folder, MANY)), "")
    yield Figure(what="lookup on a server, one after another", figure=server_lookups(folder))


def found_figure(where: str, asked_us: float, lookups: tuple[float, float], beside: str) -> Figure:
    """Gate, key of 2.5 KB and lookup; the lookups alone stand beside it."""
    few_us, many_us = (asked_us + lookup_us for lookup_us in lookups)
    alone = f"lookup alone {' and '.join(map(microseconds, lookups))}"
    return Figure(
        what=f"gate, key and lookup in {where}, among {FEW:,} and {MANY:,}",
        figure=f"{microseconds(few_us)} and {microseconds(many_us)}: {many_us / few_us:.2f} times",
        target="2 times",
        beside=f"{alone}; {beside}" if beside else alone,
    )


@contextmanager
def server(folder: Path) -> Iterator[str | None]:
    """The URL of a server on loopback; None where none is installed."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    call = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def server_lookups(folder: Path) -> str:
    """What a lookup on a server costs this process, by our own store and by the driver alone, one after another."""
    with server(folder) as url:
        if url is None:
            return "no Valkey or Redis server is installed"
        return asyncio.run(_server_lookups(url))


async def _server_lookups(url: str) -> str:
    store = import_module("breakeven.cache.valkey_store").ValkeyStore(url, memory_bytes=0)
    await store.connected(10)
    keys = [os.urandom(KEY_BYTES) for _ in range(LOOKUPS)]
    for key in keys:
        store.put(key, answer(0))
        if await store.get(key, time.time_ns()) is None:
            await asyncio.sleep(0.05)
    client = import_module("redis.asyncio").Redis.from_url(url, protocol=2)

    async def plain(key: bytes, _now_ns: int) -> object:
        return await client.get(b"breakeven:1:answer:" + key)

    async def ours(key: bytes, now_ns: int) -> object:
        return await store.get(key, now_ns) or ""  # a stall of this machine is a miss

    async def together(get: Callable[[bytes, int], Awaitable[object]]) -> None:
        for start in range(0, LOOKUPS, 64):
            await asyncio.gather(*(get(key, time.time_ns()) for key in keys[start : start + 64]))

    figures = []
    for get in (ours, plain):
        for run in (lambda get=get: each(get, keys), lambda get=get: together(get)):
            runs = []
            for _ in range(3):
                begun_s = time.thread_time()
                await run()
                runs.append(time.thread_time() - begun_s)
            figures.append(microseconds(min(runs) / LOOKUPS * 1e6))
    await store.close()
    await client.aclose()
    one, many, plain_one, plain_many = figures
    return f"{one}, 64 at once {many}; redis-py alone {plain_one} and {plain_many}"


def put_figure(folder: Path) -> Figure:
    """What keeping an answer costs the event loop, and the whole process with its thread."""
    store = SqliteStore.open(folder / "put.db", max_bytes=1 << 40)
    answers = [(os.urandom(KEY_BYTES), answer(number)) for number in range(FEW)]
    loop_s, process_s = time.thread_time(), time.process_time()
    for key, each_answer in answers:
        store.put(key, each_answer)
    loop_s = time.thread_time() - loop_s
    asyncio.run(store.close())
    process_s = time.process_time() - process_s
    if store.counters.written != FEW:
        raise SystemExit(f"not all was written: {store.failure}")
    size_bytes = (folder / "put.db").stat().st_size / FEW
    body_bytes = sum(len(each_answer.pieces[0]) for _, each_answer in answers) / FEW
    return Figure(
        what="keep an answer",
        figure=microseconds(loop_s / FEW * 1e6),
        beside=f"{microseconds(process_s / FEW * 1e6)} with packing and writing; {body_bytes:,.0f} bytes take "
        f"{size_bytes:,.0f} in the file",
    )


def microseconds(figure_us: float) -> str:
    """As a person reads it."""
    return milliseconds(figure_us / 1e6)


def main() -> None:
    """Print the figures."""
    with scratch() as folder:
        report(
            "Response cache, CPU",
            [*key_figures(), *lookup_figures(folder), put_figure(folder)],
        )


if __name__ == "__main__":
    main()
