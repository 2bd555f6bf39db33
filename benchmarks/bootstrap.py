"""1,000 bootstrap draws of a whole sweep: seconds and peak memory.

    OMP_NUM_THREADS=2 python benchmarks/bootstrap.py    # 13 tasks, 5 seeds, dev sets of 10,000

Ten tasks are scored by accuracy, one each by F1, macro F1 and the mean of both correlations, whose
ranks cost most. Fails above the limits.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from analysis.gains.bootstrap import bootstrap_gains
from analysis.scores.predictions import Arm, Predictions
from benchmarks.timing import peak_mib

LIMIT_S, LIMIT_GIB = 60.0, 2.0
OTHER_METRICS = ("f1", "f1_macro", "correlation")


def make_target(
    task: str, partners: list[str], metric: str, dev: int, seeds: int, rng: np.random.Generator
) -> Predictions:
    is_regression = metric == "correlation"
    labels = rng.random(dev) if is_regression else rng.integers(0, 2, dev)

    def draw() -> Arm:
        if is_regression:
            values = (labels + rng.normal(0, 0.3, (seeds, dev))).astype(np.float32)
        else:
            values = np.where(rng.random((seeds, dev)) < 0.8, labels, 1 - labels)
        return Arm(tuple(range(seeds)), values)

    return Predictions(
        task=task,
        metric=metric,
        labels=labels,
        splits=np.full(dev, "validation", object),
        questions=np.full(dev, -1),
        single=draw(),
        joint={partner: draw() for partner in partners},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=13)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dev", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    names = [f"task{i}" for i in range(options.tasks)]
    metrics = ["accuracy"] * (options.tasks - len(OTHER_METRICS)) + list(OTHER_METRICS)
    predictions = {
        name: make_target(
            name, [n for n in names if n != name], metric, options.dev, options.seeds, rng
        )
        for name, metric in zip(names, metrics, strict=True)
    }
    began, worked = time.perf_counter(), time.process_time()
    found = bootstrap_gains(predictions, options.draws)
    found.interval()
    found.q_values()
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    peak_gib = peak_mib() / 2**10
    print(
        f"{options.draws} draws, {options.tasks} tasks, {options.seeds} seeds, dev sets of "
        f"{options.dev}: {seconds:.1f} s, {work:.1f} s of processor time (limit {LIMIT_S:.0f}), "
        f"peak {peak_gib:.2f} GiB of memory (limit {LIMIT_GIB:.0f})"
    )
    # Processor time of all threads: what it takes on a machine that does nothing else, at most.
    assert work < LIMIT_S
    assert peak_gib < LIMIT_GIB


if __name__ == "__main__":
    main()
