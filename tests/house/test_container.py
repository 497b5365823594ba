"""The container file, step by step and without an engine: what it installs is whole, alone, and serves.

Its paths are moved below a temporary folder; `useradd` is the only step that is not taken. So this is also the test
that the wheel, installed in an empty environment with its locked requirements, serves.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

from breakeven import __name__ as package
from conftest import REPOSITORY
from house.runtime import canonical, runtime

FILE = REPOSITORY / "Containerfile"
MOVED = ("/opt/breakeven", "/var/lib/breakeven")
NO_NETWORK = ("Failed to establish a new connection", "Temporary failure in name resolution")


class Step(NamedTuple):
    word: str
    rest: str


def steps() -> list[Step]:
    """The instructions in their order, continued lines joined."""
    text = re.sub(r"^#.*\n", "", FILE.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def of(word: str) -> list[str]:
    return [step.rest for step in steps() if step.word == word]


@dataclass(frozen=True, slots=True)
class Image:
    """The steps' result below a folder: where things are, and how a process in it is started."""

    root: Path

    def moved(self, text: str) -> str:
        for path in MOVED:
            text = re.sub(rf"(?<![\w.]){path}", str(self.root) + path, text)
        return text

    @property
    def environment(self) -> dict[str, str]:
        """The image's own variables; of ours only what pip needs to find its registry."""
        base = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        base["PATH"] = f"{self.root}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin"
        base["HOME"] = str(self.root)
        return base

    @property
    def final(self) -> dict[str, str]:
        variables = dict(pair.split("=", 1) for rest in of("ENV") for pair in shlex.split(rest))
        before = self.environment
        own = {name: self.moved(value).replace("$PATH", before["PATH"]) for name, value in variables.items()}
        return {**before, **own}

    @property
    def home(self) -> Path:
        return self.root / of("WORKDIR")[-1].lstrip("/")

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command as the container's user would run it."""
        environment = {**self.final, **variables}
        return subprocess.run(
            command, cwd=self.home, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def health(self, port: int) -> int:
        command = json.loads(of("HEALTHCHECK")[0].partition("CMD")[2])
        return self.run(*command, BREAKEVEN_SERVE_PORT=str(port)).returncode


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The container file's steps, taken."""
    made = Image(tmp_path_factory.mktemp("image"))
    programs = made.root / "usr/local/bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    place = made.root
    for word, rest in steps():
        if word == "WORKDIR":
            place = made.root / rest.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                copy(REPOSITORY / source, place / target)
        elif word == "RUN" and not rest.startswith("useradd"):
            take(made, rest, place)
    return made


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def take(image: Image, command: str, place: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-ec", image.moved(command)],
        cwd=place,
        env=image.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and any(words in done.stdout + done.stderr for words in NO_NETWORK):
        pytest.skip("there is no package registry to install from")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_copied_is_there_and_nothing_else_reaches_the_builder() -> None:
    ignored, *let_through = [
        line for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    copied = {source for rest in of("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]}
    allowed = {line[1:] for line in let_through if line.startswith("!")}
    assert ignored == "*"
    assert allowed == copied
    assert all((REPOSITORY / source).exists() for source in copied)


def test_it_is_a_tagged_base_a_user_without_rights_and_no_secret() -> None:
    assert {rest.split()[0] for rest in of("FROM")} == {"python:${PYTHON}-slim"}
    assert re.fullmatch(r"PYTHON=3\.1[1-3]", *of("ARG"))
    words = [step.word for step in steps()]
    last_stage = len(words) - words[::-1].index("FROM")
    assert "USER" in words[last_stage:]
    assert int(of("USER")[-1]) > 0
    assert of("EXPOSE") == ["8080"]
    assert of("VOLUME") == [of("WORKDIR")[-1]]
    assert "ADD" not in words
    names = " ".join([*of("ARG"), *of("ENV")])
    assert not re.search(r"KEY|SECRET|TOKEN|PASSWORD|://", names, re.IGNORECASE)


def test_everything_that_is_installed_is_checked_by_hash_or_comes_without_an_index() -> None:
    installs = [part for rest in of("RUN") for part in rest.split("&&") if "pip install" in part]
    assert len(installs) == 2
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_it_holds_the_wheel_and_what_that_needs_and_no_more(image: Image) -> None:
    listing = "import json, importlib.metadata as m; print(json.dumps([d.metadata['Name'] for d in m.distributions()]))"
    done = image.run("python", "-c", listing)
    assert {canonical(name) for name in json.loads(done.stdout)} == {package, *runtime()}
    assert list((image.root / "opt/breakeven").rglob("*.pth")) == []
    told = image.run("python", "-c", "import breakeven; print(breakeven.__file__)")
    assert told.stdout.startswith(str(image.root))


def test_it_serves_is_healthy_prices_an_answer_and_stops(image: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert image.health(port) != 0
    variables = {"BREAKEVEN_SERVE_PORT": str(port), "BREAKEVEN_SERVE_UPSTREAMS": "echo"}
    command = [*json.loads(of("ENTRYPOINT")[0]), *json.loads(of("CMD")[0])]
    program = shutil.which(command[0], path=image.final["PATH"])
    assert program is not None
    log = image.home / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [program, *command[1:]], cwd=image.home, env={**image.final, **variables}, stderr=errors
        )
    try:
        until = time.monotonic() + 60
        while image.health(port) != 0:
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < until
        key = told(image, "key", "create", "--tenant", "acme", "--user", "alice")["key"]
        cost_nano_usd = asked(port, key)
        assert cost_nano_usd > 0
        process.terminate()
        assert process.wait(30) == 0, log.read_text("utf-8")
    finally:
        process.kill()
        process.wait()
    (row,) = told(image, "ledger", "totals", "--by", "model")["rows"]
    assert (row["model"], row["requests"], row["nano_usd"]) == ("echo", 1, cost_nano_usd)
    assert image.health(port) != 0


def told(image: Image, *arguments: str) -> Any:
    program = shutil.which("breakeven", path=image.final["PATH"])
    assert program is not None
    done = image.run(program, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def asked(port: int, key: str) -> int:
    """The cost of one answer of the echo model."""
    body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hello!"}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with urlopen(Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, headers), timeout=20) as answer:
        return int(answer.headers["x-breakeven-cost-nano-usd"])
