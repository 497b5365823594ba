"""Time and memory of reading a trace, for growing numbers of rows: growth must be linear.

Run: python benchmarks/trace_read.py [ROWS ...]
Writes traces in the layouts of Azure's CSV and of JSON lines to a temporary folder, reads each in a process of its own
and prints one line each. The target: 1,000,000 rows of CSV within 4 s and 500 MB on one core.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

READ = """
import resource, sys, time
from pathlib import Path
from breakeven.workload.loading import load_workload
start = time.perf_counter()
workload = load_workload(Path(sys.argv[1]))
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, len(workload.input_tokens))
"""


def columns(rows: int) -> tuple[list[str], list[int], list[int]]:
    """Timestamps 150 ms apart on average, and token counts; seeded."""
    random = np.random.default_rng(7)
    gaps_us = random.exponential(150_000, rows).astype(np.int64)
    stamps = np.datetime64("2024-05-10T00:00:00", "us") + np.cumsum(gaps_us).astype("timedelta64[us]")
    tokens = random.lognormal(6.5, 1, rows).astype(int) + 1, random.lognormal(5, 1, rows).astype(int) + 1
    return [str(stamp).replace("T", " ") for stamp in stamps], tokens[0].tolist(), tokens[1].tolist()


def written(folder: Path, rows: int) -> list[Path]:
    """The same trace as Azure's CSV (2024, with a zone) and as JSON lines."""
    csv_path, jsonl_path = folder / f"{rows}.csv", folder / f"{rows}.jsonl"
    with csv_path.open("w") as csv_file, jsonl_path.open("w") as jsonl_file:
        csv_file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for stamp, input_tokens, output_tokens in zip(*columns(rows), strict=True):
            csv_file.write(f"{stamp}+00:00,{input_tokens},{output_tokens}\n")
            usage = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}
            jsonl_file.write(json.dumps({"created_at": stamp, "usage": usage}) + "\n")
    return [csv_path, jsonl_path]


def main(row_counts: list[int]) -> None:
    """Print rows, format, seconds, seconds per million rows and peak memory."""
    print(f"{'rows':>10} {'format':>7} {'s':>7} {'s/M rows':>9} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in row_counts:
            for path in written(Path(folder), rows):
                read = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True)
                seconds, peak_mb, count = (float(part) for part in read.stdout.split())
                assert count == rows
                print(f"{rows:>10,} {path.suffix:>7} {seconds:>7.2f} {seconds / rows * 1e6:>9.2f} {peak_mb:>8.0f}")
                path.unlink()


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [125_000, 250_000, 500_000, 1_000_000])
