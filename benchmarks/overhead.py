"""Wall time of a study against its pure training time, beside bare Ray Tune + OptunaSearch.

Three processes run the very same trials with the same training code, each from a cold start to its
end: `mutransfer`'s executor; Ray Tune's defaults with OptunaSearch, given the trials as points to
evaluate; the same with `reuse_actors=True`. Ideal: the sum of the training seconds over the slots.

`python benchmarks/overhead.py [--repeats 3] [--quick]`
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from typing import Any

SPEC = """
version: 1
studies:
  overhead:
    model: {{family: dit, depth: 2, head_dim: 16, base_width: 32, patch_size: 4}}
    data: {{source: digits, val_draws: 1}}
    objective: {{kind: rectified_flow}}
    train: {{steps: {steps}, batch_size: 32, n_val: 1}}
    method: random
    parameters: {{lr: {{log2: [-10, -6]}}}}
    search: {{width: 32, trials: {trials}}}
    transfer: {{parameters: [lr], widths: [16, 32, 64], points: 3, refine: false, max_extend: 0,
               seeds: 2, control: none}}
    target: {{width: 96, check: slices, points: 3, seeds: 2, tolerance: {{rel_loss: 0.01}}}}
"""
ARMS = ("mutransfer", "Ray Tune + OptunaSearch", "the same, reuse_actors=True")


def main() -> None:
    """Run the arms in turn and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--quick", action="store_true", help="one repeat of a few short trials")
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.steps, args.trials = 1, 5, 4
    if args.arm:
        print(json.dumps(ours(args) if args.arm == ARMS[0] else bare(args)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"{args.repeats} repeat(s)\n")  # fmt: skip
    print("| executor | trials | wall, s | training / slots, s | wall / ideal |")
    print("|---|---|---|---|---|")
    for arm in ARMS:
        for _ in range(args.repeats):
            print(line(arm, args), flush=True)


def line(arm: str, args: argparse.Namespace) -> str:
    """One line of the table: a cold process that runs all trials of one arm."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--steps", str(args.steps), "--trials", str(args.trials), "--folder", folder]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--arm", arm, *options],
            capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        wall_s = time.perf_counter() - started
    totals = json.loads(done.stdout.splitlines()[-1])
    ideal_s = totals["train_s"] / totals["slots"]
    return f"| {arm} | {totals['trials']} | {wall_s:.1f} | {ideal_s:.1f} | {wall_s / ideal_s:.2f} |"


def study(args: argparse.Namespace) -> Any:
    """The benchmark's study."""
    from mutransfer.sweep import spec
    from mutransfer.sweep.spec.yaml_file import parse

    text = SPEC.format(steps=args.steps, trials=args.trials)
    return spec.read_file(parse(text, "overhead"))["overhead"]


def ours(args: argparse.Namespace) -> dict[str, Any]:
    """The study under our executor."""
    from mutransfer.sweep.run import ray_tune
    from mutransfer.sweep.run.driver import State
    from mutransfer.sweep.store.store import Store

    state = State.load(study(args), Store(args.folder))
    ray_tune.run(state)
    table = state.table
    return {"trials": len(table), "train_s": table["train_s"].sum(), "slots": state.slots}


def bare(args: argparse.Namespace) -> dict[str, Any]:
    """As many trials of the same widths, steps and code under Ray Tune as a user would write it."""
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    from mutransfer.sweep.plan.next_trials import nominal

    configs = [request.config.to_dict() for request in nominal(study(args))]

    def train(point: dict[str, Any]) -> None:
        from mutransfer.proxies.config.trial import TrialConfig
        from mutransfer.proxies.training.train import Training

        training = Training(TrialConfig.from_dict(configs[point["index"]]))
        for _ in training.run():
            pass
        result = training.result()
        tune.report({"val_loss": result.val_loss or 9.0, "train_s": result.train_s})

    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    points = [{"index": i} for i in range(len(configs))]
    search = OptunaSearch(
        {"index": tune.choice(range(len(configs)))}, metric="val_loss", mode="min",
        points_to_evaluate=points,
    )  # fmt: skip
    grid = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=search, num_samples=len(configs), max_concurrent_trials=os.cpu_count(),
            reuse_actors=args.arm == ARMS[2],
        ),
        run_config=tune.RunConfig(storage_path=args.folder, verbose=0),
    ).fit()  # fmt: skip
    train_s = sum(result.metrics["train_s"] for result in grid)
    return {"trials": len(configs), "train_s": train_s, "slots": os.cpu_count()}


if __name__ == "__main__":
    main()
