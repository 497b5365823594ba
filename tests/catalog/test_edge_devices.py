"""Devices to own have a dated price range or none, and every measured device falls into a class."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from breakeven.catalog import edge_devices as room
from breakeven.catalog.edge_devices import device_class, edge_device, edge_devices
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import CatalogError, UnknownName

MEASURED = {
    "nvidia_gpu": (
        "3080 10GB",
        "4070 Ti 12GB",
        "RTX 4000 Ada 20GB",
        "RTX A6000 48GB",
        "A100 80GB",
        "RTX 3060 (Intel 265K)",
        "PC + RTX 5090 32GB",
        "3070 Laptop",
        "GTX 1080 Ti",
        "6000 Ada 48GB",
        "L4",
        "H100",
    ),
    "apple": ("M1 7-core GPU 8GB", "M1 Max Mac Studio 64GB", "M4 Mac mini 10-core 16GB", "MacBook Pro M5 Max"),
    "cpu": (
        "AmpereOne A192-32X CPU",
        "Minisforum MS-R1 CPU",
        "Intel N150 CPU (GMKtec G3 Plus)",
        "Raspberry Pi 500+ 16GB CPU",
        "Raspberry Pi 400 4GB CPU",
        "Ryzen 9 7950X",
        "Orange Pi 5 Plus",
    ),
    "jetson": ("Jetson AGX Orin 64GB / IGX Orin iGPU", "NVIDIA Jetson Thor"),
    "unified": ("GB10 (DGX Spark class, Dell Pro Max)", "NVIDIA DGX Spark", "Framework Desktop AI Max+ 395 128GB"),
    "phone": ("Snapdragon 8 Elite", "iPhone 16 Pro"),
}


@pytest.mark.parametrize(("expected", "name"), [(kind, name) for kind, names in MEASURED.items() for name in names])
def test_a_device_falls_into_its_class(expected: str, name: str) -> None:
    assert device_class(name) == expected


def test_every_measured_device_has_a_class(shared_data: Path) -> None:
    with (shared_data / "perf" / "edge_tokens_per_s_dev.csv").open(encoding="utf-8") as table:
        names = {row["device"] for row in csv.DictReader(table)}
    assert len(names) > 25
    assert {device_class(name) for name in names} == {"nvidia_gpu", "apple", "cpu", "jetson", "unified"}


@pytest.mark.parametrize("name", ["Surface", "", "a toaster"])
def test_an_unknown_kind_of_device_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="unknown kind of device"):
        device_class(name)


def test_a_catalogue_device_has_the_class_that_its_name_says() -> None:
    for device in edge_devices().values():
        assert device_class(device.name) == device.device_class


def test_every_device_of_the_reference_table_is_there(shared_data: Path) -> None:
    with (shared_data / "catalog" / "edge_devices.csv").open(encoding="utf-8") as table:
        reference = list(csv.DictReader(table))
    assert len(reference) == len(edge_devices()) == 20
    for row in reference:
        device = edge_device(row["device"].split(" (card")[0])
        assert device.memory_bytes == int(row["memory_gb"]) * 2**30
        assert device.memory_bandwidth_bytes_per_s == float(row["mem_bw_gbs"]) * 1e9


def test_an_unknown_price_is_none_and_not_zero() -> None:
    laptop = edge_device("MacBook Pro M5 Max (40-core GPU) 128GB")
    assert laptop.price_low_usd is None
    assert laptop.price_high_usd is None
    assert laptop.load_power_w is None


def test_a_bare_card_comes_with_a_host() -> None:
    card = edge_device("pc + rtx 4090 24gb")
    assert (card.price_low_usd, card.price_high_usd) == (Decimal(1099), Decimal(2755))
    assert card.host_usd == Decimal(1250)
    assert card.load_power_w == 550


def test_every_price_is_a_range_that_leaves_room_for_no_free_device() -> None:
    for device in edge_devices().values():
        if device.price_low_usd is not None and device.price_high_usd is not None:
            assert 0 < device.price_low_usd <= device.price_high_usd
        assert 0 < device.usable_memory_frac <= 1


def test_an_unknown_device_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as refused:
        edge_device("Mac mini M4 15GB")
    assert "Mac mini M4 16GB" in (refused.value.hint or "")


def device_row(**changed: str) -> Row:
    (first, *_) = read_table("edge_devices.csv", lambda row: row)
    return replace(first, cells={**first.cells, **changed})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"price_low_usd": "0"}, "leave the cell blank"),
        ({"price_low_usd": ""}, "both ends"),
        ({"price_low_usd": "300"}, "price_low_usd is above"),
        ({"usable_memory_frac": "1.1"}, "above 1"),
        ({"idle_power_w": "30"}, "idle_power_w is above"),
        ({"device_class": "toaster"}, "must be one of"),
        ({"memory_bandwidth_gb_per_s": ""}, "must be a positive number"),
    ],
)
def test_a_wrong_row_is_refused(changed: dict[str, str], reason: str) -> None:
    with pytest.raises(CatalogError, match=rf"edge_devices\.csv, line 2: .*{reason}"):
        room._device(device_row(**changed))
