"""Small reports in the shapes that benchmark tools write; the numbers are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def vllm(concurrency: int | None = 32, **fields: Any) -> dict[str, Any]:
    """As ``vllm bench serve --save-result`` writes it: 200 requests of 512 in and 128 out."""
    return {
        "date": "20261101-120000",
        "endpoint_type": "vllm",
        "backend": "vllm",
        "label": None,
        "model_id": "meta-llama/Llama-3.1-8B-Instruct",
        "tokenizer_id": "meta-llama/Llama-3.1-8B-Instruct",
        "num_prompts": 200,
        "request_rate": "inf",
        "burstiness": 1.0,
        "max_concurrency": concurrency,
        "duration": 20.0,
        "completed": 200,
        "total_input_tokens": 200 * 512,
        "total_output_tokens": 200 * 128,
        "request_throughput": 10.0,
        "output_throughput": 1280.0,
        "mean_ttft_ms": 130.0,
        "median_ttft_ms": 100.0,
        "mean_tpot_ms": 15.0,
        "median_tpot_ms": 14.0,
        "mean_itl_ms": 15.0,
        **fields,
    }


def guidellm(**strategy: Any) -> dict[str, Any]:
    """As GuideLLM's benchmarks.json: each metric by the fate of its requests; one run a strategy."""

    def metric(mean: float, median: float) -> dict[str, Any]:
        found = {"mean": mean, "median": median, "std_dev": 1.0, "percentiles": {"p50": median, "p99": median * 2}}
        return {"successful": found, "errored": {"mean": 9_999.0, "median": 9_999.0}, "total": {"mean": 5_000.0}}

    return {
        "metadata": {"version": 1, "guidellm_version": "0.5.3"},
        "args": {"backend_kwargs": {"target": "http://localhost:8000", "model": "Qwen/Qwen3-32B"}},
        "benchmarks": [
            {
                "type_": "generative_benchmark",
                "config": {"strategy": {"type_": "concurrent", "streams": 8, **strategy}},
                "metrics": {
                    "request_totals": {"successful": 80, "errored": 2, "incomplete": 8},
                    "requests_per_second": metric(0.7, 0.7),
                    "request_concurrency": metric(7.6, 8.0),
                    "prompt_token_count": metric(1_000.0, 1_000.0),
                    "output_token_count": metric(500.0, 500.0),
                    "time_to_first_token_ms": metric(240.0, 200.0),
                    "time_per_output_token_ms": metric(22.0, 21.9),
                    "inter_token_latency_ms": metric(21.6, 21.5),
                },
            }
        ],
    }


def aiperf() -> dict[str, Any]:
    """As AIPerf's profile_export_aiperf.json."""
    return {
        "schema_version": "1.3",
        "aiperf_version": "0.10.0",
        "request_throughput": {"unit": "requests/sec", "avg": 4.0},
        "time_to_first_token": {"unit": "ms", "avg": 195.8, "p50": 175.0, "p90": 251.4},
        "inter_token_latency": {"unit": "ms", "avg": 35.2, "p50": 34.7, "p90": 35.9},
        "input_sequence_length": {"unit": "tokens", "avg": 256.0},
        "output_sequence_length": {"unit": "tokens", "avg": 64.0},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 256.0},
        "input_config": {
            "endpoint": {"model_names": ["openai/gpt-oss-20b"], "type": "chat", "streaming": True},
            "loadgen": {"concurrency": 10},
        },
    }


def genai_perf() -> dict[str, Any]:
    """As genai-perf's export: numbers may be text, the load stands among the arguments."""
    return {
        "request_throughput": {"unit": "requests/sec", "avg": "4.0"},
        "time_to_first_token": {"unit": "ns", "avg": "195800000", "p50": "175000000"},
        "inter_token_latency": {"unit": "ns", "avg": "35200000", "p50": "34700000"},
        "input_sequence_length": {"unit": "tokens", "avg": "256.0"},
        "output_sequence_length": {"unit": "tokens", "avg": "64.0"},
        "input_config": {"model": ["x"], "formatted_model_name": "gpt-oss-20b", "concurrency": 10},
    }


def llama_bench(**fields: Any) -> list[dict[str, Any]]:
    """As ``llama-bench -o json``: one test that reads, one that generates."""
    shared = {
        "build_commit": "8cf427ff",
        "cpu_info": "AMD Ryzen 7 7800X3D 8-Core Processor",
        "gpu_info": "NVIDIA GeForce RTX 4080",
        "backends": "CUDA",
        "model_filename": "models/Llama-3.1-8B-Q4_K_M.gguf",
        "model_type": "llama 8B Q4_K - Medium",
        "n_gpu_layers": 99,
        "n_depth": 0,
        **fields,
    }
    return [
        {**shared, "n_prompt": 512, "n_gen": 0, "avg_ts": 7_100.0, "stddev_ts": 140.3},
        {**shared, "n_prompt": 0, "n_gen": 128, "avg_ts": 105.0, "stddev_ts": 1.0},
    ]


def write(folder: Path, document: Any, name: str = "report.json") -> Path:
    """The document as a file."""
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
