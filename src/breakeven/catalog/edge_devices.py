"""Devices to own: what they cost, what fits into them, and what they draw."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Literal, get_args

from breakeven.catalog.evidence import Basis
from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import UnknownName
from breakeven.units import BYTES_PER_GB, BYTES_PER_GIB

DeviceClass = Literal["nvidia_gpu", "apple", "cpu", "jetson", "unified", "phone"]
"""Devices that reach a similar share of their memory bandwidth when they generate tokens."""

# The first pattern that matches decides, so the more special names come first.
_CLASS_PATTERNS: tuple[tuple[DeviceClass, str], ...] = (
    ("jetson", r"jetson|\bagx\b|igx orin|\borin\b|\bthor\b"),
    ("unified", r"\bgb10\b|dgx spark|ai max|strix|ryzen ai"),
    ("phone", r"iphone|snapdragon|pixel|galaxy|dimensity|\ba1[5-9] pro\b|phone"),
    ("apple", r"\bm[1-9]\b|\bmac|\bapple\b"),
    ("nvidia_gpu", r"nvidia|geforce|quadro|\b(rtx|gtx)|\b[2-5]0[5-9]0\b|\b1[06][3-8]0\b|\b[2456]000 ada\b"),
    ("nvidia_gpu", r"\b[lt](4|40s?)\b|\b[pvhb][1-3]00\b|\bgh200\b|\ba(10g?|[34]0|100|[2-6]000)\b"),
    ("cpu", r"raspberry|\bpi [45]|\bn\d{2,3}\b|ampere|altra|graviton|\bcpu\b|hailo|epyc|xeon|threadripper"),
    ("cpu", r"\bryzen|\bcore (i\d|ultra)|\bi[3579]-\d|rk35\d\d|orange pi|cortex"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDevice:
    """One device that can be bought. Prices are a dated range in US dollars, None where no price is known.

    ``host_usd`` is the computer that a bare card or module needs. ``usable_memory_frac`` is the share of
    ``memory_bytes`` that weights and KV cache may fill. Powers are watts at the wall, host included, None if unknown.
    """

    name: str
    device_class: DeviceClass
    price_low_usd: Decimal | None
    price_high_usd: Decimal | None
    host_usd: Decimal
    memory_bytes: int
    usable_memory_frac: float
    memory_bandwidth_bytes_per_s: float
    idle_power_w: float | None
    load_power_w: float | None
    source: str
    checked_on: datetime.date
    confidence: str
    note: str = ""

    @property
    def basis(self) -> Basis:
        """``quoted`` from the source, or ``assumed`` where the row is from memory."""
        return "assumed" if self.confidence == "memory" else "quoted"


@cache
def edge_devices() -> Mapping[str, EdgeDevice]:
    """All devices by name.

    Raises:
        CatalogError: a row of ``data/edge_devices.csv`` is wrong.
    """
    return MappingProxyType({device.name: device for device in read_table("edge_devices.csv", _device)})


def edge_device(name: str) -> EdgeDevice:
    """The device with this name, whatever its case and punctuation.

    Raises:
        UnknownName: no row carries the name; the hint lists the nearest.
    """
    return edge_devices()[_index().canonical(name)]


def device_class(name: str) -> DeviceClass:
    """The class of any device by its name, in the catalogue or not.

    >>> device_class("RTX 4070 Ti (Intel 265K)"), device_class("M1 Max Mac Studio 64GB")
    ('nvidia_gpu', 'apple')

    Raises:
        UnknownName: the name fits no class.
    """
    known = _index().find(name)
    if known is not None:
        return edge_devices()[known].device_class
    for found, pattern in _CLASS_PATTERNS:
        if re.search(pattern, name.casefold()):
            return found
    raise UnknownName(
        f"unknown kind of device {name!r}",
        cause="its name fits none of the classes whose efficiency was measured",
        hint=f"name the chip, such as RTX 4090, M4 Max, Jetson AGX Orin; classes: {', '.join(get_args(DeviceClass))}",
    )


@cache
def _index() -> NameIndex:
    return NameIndex("edge device", edge_devices(), {})


def _device(row: Row) -> EdgeDevice:
    device = EdgeDevice(
        name=row.text("name"),
        device_class=row.choice("device_class", get_args(DeviceClass)),
        price_low_usd=row.optional_price("price_low_usd"),
        price_high_usd=row.optional_price("price_high_usd"),
        host_usd=row.amount("host_usd"),
        memory_bytes=round(row.number("memory_gib") * BYTES_PER_GIB),
        usable_memory_frac=row.number("usable_memory_frac"),
        memory_bandwidth_bytes_per_s=row.number("memory_bandwidth_gb_per_s") * BYTES_PER_GB,
        idle_power_w=row.optional_number("idle_power_w"),
        load_power_w=row.optional_number("load_power_w"),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
        confidence=row.text("confidence"),
        note=row.optional_text("note"),
    )
    _check(row, device)
    return device


def _check(row: Row, device: EdgeDevice) -> None:
    low, high = device.price_low_usd, device.price_high_usd
    if (low is None) != (high is None):
        raise row.wrong("a price needs both ends of its range")
    if low is not None and high is not None and low > high:
        raise row.wrong("price_low_usd is above price_high_usd")
    if device.usable_memory_frac > 1:
        raise row.wrong("usable_memory_frac is above 1")
    if (
        device.idle_power_w is not None
        and device.load_power_w is not None
        and device.idle_power_w > device.load_power_w
    ):
        raise row.wrong("idle_power_w is above load_power_w")
