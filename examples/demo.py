"""`make demo`: a real sweep on digits, from YAML to plots, verdict and best.yaml.

Prints the verdict last. Exits 0 whenever the study finished, whatever the verdict.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

MUTRANSFER = [sys.executable, "-m", "mutransfer"]
NOT_PASS = 3


def main() -> int:
    """Run, analyze, export; returns the exit code of the command that failed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="digits-dit")
    parser.add_argument("--spec", default="sweeps.yaml")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--width", default="1152", help="the production width of best.yaml")
    args = parser.parse_args()
    options = ["--spec", args.spec, "--runs", args.runs]
    commands = [
        (["run", args.study, *options], (0,)),
        (["analyze", args.study, *options], (0, NOT_PASS)),
        (["export", args.study, "--width", args.width, "--force", *options], (0, NOT_PASS)),
    ]
    try:
        for words, accepted in commands:
            print(f"\n$ mutransfer {' '.join(words)}", flush=True)
            code = subprocess.run([*MUTRANSFER, *words], check=False).returncode
            if code not in accepted:
                print(f"demo: `mutransfer {words[0]}` ended with {code}", file=sys.stderr)
                return code
    except KeyboardInterrupt:
        return 130
    run = Path(args.runs) / args.study
    print(f"\nplots:     {run / 'plots'}\nreport:    {run / 'report.html'}")
    print(f"for a trainer (examples/train_best.py): {run / 'best.yaml'}\n")
    print(json.loads((run / "verdict.json").read_text())["sentence"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
