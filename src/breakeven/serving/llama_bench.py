"""Results of llama.cpp's ``llama-bench -o json`` (or ``-o jsonl``) as points of a device.

Each result is one test: ``n_gen`` tokens generated at depth ``n_depth``, or ``n_prompt`` tokens read. Fields as printed
by llama.cpp's tools/llama-bench (read in November 2026).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from breakeven.errors import InputError
from breakeven.serving.benchmark_reports import StatedDeployment
from breakeven.serving.edge_points import EdgePoint

Document = Mapping[str, Any]
_QUANT: Final = re.compile(r"(?<![a-z0-9])(i?q\d+(?:_[a-z0-9]{1,4})*|bf16|f16|f32|mxfp4)(?![a-z0-9])", re.IGNORECASE)


def is_result(document: Document) -> bool:
    """Whether an object is a result of llama-bench."""
    return {"n_prompt", "n_gen", "avg_ts"} <= document.keys()


def points(path: Path, documents: Sequence[Document], stated: StatedDeployment) -> list[EdgePoint]:
    """The decode tests as points; prompt tests have no factor to correct.

    Raises:
        InputError: no test generated tokens, or device, model or format is neither named nor stated.
    """
    tests = [(index, each) for index, each in enumerate(documents, start=1) if _number(each, "n_gen") > 0]
    found = [_point(path, index, each, stated) for index, each in tests if _number(each, "avg_ts") > 0]
    if not found:
        raise InputError(f"{path} has no decode test", hint="llama-bench -n 128 -o json > FILE.json")
    return found


def _point(path: Path, index: int, test: Document, stated: StatedDeployment) -> EdgePoint:
    name = Path(str(test.get("model_filename") or "").replace("\\", "/")).name
    quant = stated.quant or _quant(name) or _quant(str(test.get("model_type") or ""))
    model = stated.model or _model(name)
    uses_gpu = _number(test, "n_gpu_layers") != 0 and str(test.get("gpu_info") or "").strip()
    device = stated.gpu or str(test.get("gpu_info" if uses_gpu else "cpu_info") or "").strip()
    for value, what, option in (
        (device, "the device", "--gpu NAME"),
        (model, "the model", "--model NAME"),
        (quant, "the format of the weights", "--precision NAME"),
    ):
        if not value:
            raise InputError(f"{path} does not name {what}", hint=f"breakeven calibrate {path} {option}")
    return EdgePoint(
        line=index,
        device=device,
        bandwidth_bytes_per_s=stated.bandwidth_bytes_per_s,
        model=model,
        quant=quant,
        context_tokens=max(_number(test, "n_depth"), _number(test, "n_prompt"), 0.0) + _number(test, "n_gen") / 2,
        decode_tokens_per_s=_number(test, "avg_ts"),
        prefill_tokens_per_s=0.0,
    )


def _quant(text: str) -> str:
    found = _QUANT.findall(text)
    return str(found[-1]).upper() if found else ""


def _model(filename: str) -> str:
    """The file's name without ending, shard number and format."""
    stem = re.sub(r"(-\d{5}-of-\d{5})?\.gguf$", "", filename, flags=re.IGNORECASE)
    return _QUANT.sub("", stem).strip("-_. ")


def _number(test: Document, name: str) -> float:
    value = test.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number and value is not None else 0.0
