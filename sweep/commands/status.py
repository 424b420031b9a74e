"""The command `status`."""

from mutransfer.sweep.commands import terminal
from mutransfer.sweep.commands.options import RUNS, SPEC, JsonOpt, RunsOpt, SpecOpt, StudyArg, out
from mutransfer.sweep.store import rundir


def status(
    study: StudyArg, spec_path: SpecOpt = SPEC, runs: RunsOpt = RUNS, json_: JsonOpt = False
) -> None:
    """Show how far a study is, and why trials failed.

    [dim]mutransfer status digits-dit[/dim]
    """
    found, store = rundir.find_run(study, spec_path, runs)
    table = store.table()
    decisions = store.decisions()
    by_stage = table.groupby(["asked_by", "status"]).size()
    failed = table[table["status"] == "failed"]
    if json_:
        terminal.as_json(
            {
                "study": found.name,
                "run_directory": store.root,
                "trials": [
                    {"stage": k[0], "status": k[1], "n": int(n)} for k, n in by_stage.items()
                ],
                "decisions": sorted(decisions),
                "failed": failed[["trial_id", found.axis, "error"]].to_dict("records"),
            }
        )
        return
    rows = [(stage, word, int(n)) for (stage, word), n in by_stage.items()]
    out.print(terminal.table(f"{found.name}: {store.root}", ("stage", "status", "trials"), rows))
    if "centre" in decisions:
        out.print(f"search best: {_hps(decisions['centre']['search_best'])}", highlight=False)
    if "transferred" in decisions:
        chosen = decisions["transferred"]["transferred"]
        out.print(f"transferred set: {_hps(chosen)}", highlight=False)
    errors = failed[["trial_id", found.axis, "error"]].itertuples(index=False)
    if len(failed):
        out.print(terminal.table("failed", ("trial", found.axis, "error"), errors))


def _hps(hps: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in hps.items())
