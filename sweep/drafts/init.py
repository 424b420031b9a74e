"""The command `init`: a commented study for the user's own data, which runs as it is."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from mutransfer.sweep import spec
from mutransfer.sweep.commands.live import clock
from mutransfer.sweep.commands.options import SPEC, out, say
from mutransfer.sweep.drafts.draft import Draft, Machine, text
from mutransfer.sweep.drafts.images import images_draft
from mutransfer.sweep.drafts.latents import latents_draft
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.spec.yaml_file import parse

LEAST_STEPS, MOST_STEPS, TIMED_STEPS = 100, 2000, 100


def init(
    images: Annotated[Path | None, typer.Option("--images", help="A folder of images.")] = None,
    latents: Annotated[
        Path | None, typer.Option("--latents", help="A folder of safetensors shards.")
    ] = None,
    module: Annotated[
        str | None,
        typer.Option("--module", help="A module with `build`, `loss` and `data`, as pkg.mod."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The name of the study.")] = "mine",
    minutes: Annotated[
        float, typer.Option("--minutes", help="How long the study may take on this machine.")
    ] = 20,
    spec_path: Annotated[Path, typer.Option("--spec", help="The file to write.")] = SPEC,
) -> None:
    """Look at your own data and write a commented study of it that runs.

    Example: [dim]mutransfer init --images photos[/dim]
    """
    if sum(given is not None for given in (images, latents, module)) != 1:
        raise UserError("init: one of --images, --latents and --module; e.g. `--images photos`")
    if spec_path.exists():
        raise UserError(
            f"{spec_path}: a new file; got one that exists; name another with `--spec`, or move it"
        )
    draft = _draft(images, latents, module, spec_path)
    machine = Machine(base_width=64, gpus=1) if torch.cuda.is_available() else Machine()
    steps, estimated_s = _steps(name, draft, machine, spec_path, 60 * minutes)
    content = text(name, draft, machine, steps)
    spec.read_file(parse(content, str(spec_path)), (name,))
    spec_path.write_text(content, encoding="utf-8")
    for line in draft.seen:
        say(line)
    known = "" if estimated_s is None else f", about {clock(estimated_s)} on this machine"
    out.print(f"{spec_path}: written: study {name}, {steps} steps a trial{known}")
    out.print(f"next: mutransfer check {name} --spec {spec_path}")


def _draft(images: Path | None, latents: Path | None, module: str | None, spec_path: Path) -> Draft:
    if module is not None:
        model = {"family": "custom", "build": f"{module}:build", "loss": f"{module}:loss"}
        data = {"source": "custom", "build": f"{module}:data"}
        return Draft(data=data, model=model, seen=("See examples/custom for what these return.",))
    folder = images or latents
    assert folder is not None, "init checks this"
    draft = images_draft(folder) if images else latents_draft(folder)
    relative = os.path.relpath(folder, spec_path.absolute().parent)
    return replace(draft, data={**draft.data, "path": relative})


def _steps(
    name: str, draft: Draft, machine: Machine, spec_path: Path, limit_s: float
) -> tuple[int, float | None]:
    """Steps of a trial such that the study fits the time, and its seconds; from a few timed steps.

    Raises:
        SpecError: a module that does not fit.
    """
    content = text(name, draft, machine, TIMED_STEPS)
    study = spec.read_file(parse(content, str(spec_path)), (name,))[name]
    serial_s = estimate.total_s(estimate.stages(study, estimate.timed_step_s(study)))
    if serial_s is None:
        return 10 * LEAST_STEPS, None
    workers = machine.gpus * torch.cuda.device_count() or os.cpu_count() or 1
    step_s = serial_s / workers / TIMED_STEPS
    steps = min(MOST_STEPS, max(LEAST_STEPS, 10 * int(limit_s / step_s / 10)))
    return steps, steps * step_s
