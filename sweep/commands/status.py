"""The command `status`: how far is a study?"""

from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, out
from mutransfer.sweep.store import rundir


def status(
    name: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Show the number of trials by stage and status, and why trials failed.

    Example: [dim]mutransfer status digits-dit[/dim]
    """
    study, store = rundir.find_run(name, spec_path, runs)
    table = store.table()
    decisions = store.decisions()
    by_stage = table.groupby(["asked_by", "status"]).size()
    failed = table[table["status"] == "failed"]
    if json_:
        terminal.as_json(
            {
                "study": study.name,
                "run_directory": store.root,
                "trials": [
                    {"stage": stage, "status": status_, "n": int(n)}
                    for (stage, status_), n in by_stage.items()
                ],
                "decisions": sorted(decisions),
                "failed": failed[["trial_id", study.axis, "error"]].to_dict("records"),
            }
        )
        return
    rows = [(stage, status_, int(n)) for (stage, status_), n in by_stage.items()]
    out.print(terminal.table(f"{study.name}: {store.root}", ("stage", "status", "trials"), rows))
    if "centre" in decisions:
        out.print(f"search best: {_hps(decisions['centre']['search_best'])}")
    if "transferred" in decisions:
        transferred = decisions["transferred"]["transferred"]
        out.print(f"transferred set: {_hps(transferred)}")
    errors = failed[["trial_id", study.axis, "error"]].itertuples(index=False)
    if len(failed):
        out.print(terminal.table("failed", ("trial", study.axis, "error"), errors))


def _hps(hps: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in hps.items())
