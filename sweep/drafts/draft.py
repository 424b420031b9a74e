"""What a draft of a study says of data and model, and the text of its spec."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# At most so many tokens a side: 64 tokens train in seconds on a laptop.
TOKENS_PER_SIDE = 8


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a look at the user's data led to.

    Attributes:
        data: The section `data`.
        model: The section `model`, without the sizes that depend on the machine.
        seen: What was seen, as comments.
    """

    data: Mapping[str, Any]
    model: Mapping[str, Any]
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What of a study depends on the machine.

    Attributes:
        base_width: Width of the search; the ladder and the target are multiples of it.
        gpus: GPUs for a trial.
        trials: Trials of the search.
    """

    base_width: int = 32
    gpus: int = 0
    trials: int = 12

    @property
    def ladder(self) -> list[int]:
        """The widths of the ladder."""
        return [self.base_width // 2, self.base_width, 2 * self.base_width]


def patch_size(side: int) -> int:
    """The smallest divisor of a side that leaves at most `TOKENS_PER_SIDE` patches."""
    return next(p for p in range(1, side + 1) if side % p == 0 and side // p <= TOKENS_PER_SIDE)


def text(name: str, draft: Draft, machine: Machine, steps: int) -> str:
    """The spec with the study of that name, with comments, as YAML."""
    width = machine.base_width
    # On one line: names of files may hold line breaks, and a comment ends with its line.
    seen = "".join(f"    # {' '.join(line.split())}\n" for line in draft.seen)
    transfer = f"parameters: [lr], widths: {machine.ladder}, points: 5, refine: false, seeds: 2"
    model = {**draft.model, "base_width": width}
    return f"""\
# A draft by `mutransfer init`; change what you like. Next:
#   mutransfer check {name}      looks at spec and data
#   mutransfer plan {name}       trials, hours and the chance of a PASS, before anything runs
#   mutransfer run {name}        search, slices, target; type it again to continue
#   mutransfer analyze {name}    the verdict and report.html
version: 1
studies:
  {name}:
{seen}    data: {_flow(draft.data)}
    # The proxy. Width grows by heads; base_width is where base hyperparameters are written.
    model: {_flow(model)}
    # As many steps as fit the time on this machine; more make the answer sharper.
    train: {{steps: {steps}, batch_size: 32, schedule: cosine, n_val: 1}}
    method: tpe
    parameters:
      lr: {{distribution: log_uniform_values, min: 2^-12, max: 2^-3}}
    search: {{width: {width}, trials: {machine.trials}, generation: 6}}
    # The learning rate is varied on a lattice at each width, with two seeds.
    transfer: {{{transfer}, control: none}}
    # tolerance: the regret that you accept at the target; fixed before any result was seen.
    target: {{width: {4 * width}, tolerance: {{rel_loss: 0.005}}}}
    resources: {{cpus_per_trial: 1, gpus_per_trial: {machine.gpus}}}
    # The run that you want to make: `plan` then tells what share of it this study costs.
    # production: {{width: {32 * width}, steps: 100000, batch_size: 256}}
"""


def _flow(section: Mapping[str, Any]) -> str:
    """A section on one line."""
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in section.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _flow(value)
    is_word = isinstance(value, str) and value.replace("_", "").isalnum() and value[0].isalpha()
    return value if is_word else json.dumps(value, ensure_ascii=False)
