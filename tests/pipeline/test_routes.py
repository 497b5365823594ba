"""Which model a name means, what is remembered of names that clients made up, and which fallbacks a key may use."""

from __future__ import annotations

import pytest

from breakeven.errors import UnknownName
from breakeven.pipeline import routes as routes_module
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.request_ids import RequestIds
from breakeven.pipeline.routes import Routes
from breakeven.pipeline.target import Route


def route(model: str) -> Route:
    return Route(model=model, targets=())


def test_a_configured_name_wins_and_an_unknown_one_names_its_neighbours() -> None:
    routes = Routes([route("gpt-4o-mini")])
    assert routes.find("gpt-4o-mini").model == "gpt-4o-mini"
    with pytest.raises(Refusal, match="did you mean gpt-4o-mini") as caught:
        routes.find("gpt-4o-mni")
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


def test_a_name_is_resolved_once_and_refusals_are_not_remembered() -> None:
    asked: list[str] = []

    def resolve(model: str) -> Route:
        asked.append(model)
        if model == "dear":
            raise UnknownName("unknown model 'dear'", cause="nearest names: deer")
        return route(model)

    routes = Routes([], resolve)
    assert routes.find("m") is routes.find("m")
    for _ in range(2):
        with pytest.raises(Refusal, match="nearest names: deer"):
            routes.find("dear")
    assert asked == ["m", "dear", "dear"]
    assert routes.models == ("m",)


def test_names_that_clients_make_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_MOST_RESOLVED", 10)
    routes = Routes([], route)
    for number in range(1_000):
        routes.find(f"m{number}")
    assert len(routes.models) <= 10


def test_request_ids_are_unique_and_in_order_of_time() -> None:
    ids = RequestIds()
    made = [ids.next(1_795_000_000_000_000_000 + number * 1_000_000) for number in range(1_000)]
    assert len(set(made)) == 1_000
    assert made == sorted(made)
    assert all(len(each) == 32 and each.startswith("req_") for each in made)
