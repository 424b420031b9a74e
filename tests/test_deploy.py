"""The files under deploy/ are what their programs read, and the Slurm script does what it says."""

import contextlib
import copy
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mutransfer.analysis.table import same
from mutransfer.sweep.run import driver, events
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of, write_spec

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
SLURM = DEPLOY / "slurm.sh"
# The fields of KubeRay's API reference, v1.5 (docs/reference/api.md), that a RayJob may have.
RAY_JOB = {
    "activeDeadlineSeconds", "authOptions", "backoffLimit", "rayClusterSpec",
    "submitterPodTemplate",
    "metadata", "clusterSelector", "submitterConfig", "managedBy", "deletionStrategy", "entrypoint",
    "runtimeEnvYAML", "jobId", "submissionMode", "entrypointResources", "entrypointNumCpus",
    "entrypointNumGpus", "ttlSecondsAfterFinished", "shutdownAfterJobFinishes", "suspend",
}  # fmt: skip
RAY_CLUSTER = {
    "suspend", "managedBy", "autoscalerOptions", "headServiceAnnotations",
    "enableInTreeAutoscaling",
    "gcsFaultToleranceOptions", "headGroupSpec", "rayVersion", "workerGroupSpecs", "authOptions",
}  # fmt: skip
RAY_GROUP = {
    "suspend", "groupName", "replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds",
    "rayStartParams", "template", "scaleStrategy", "numOfHosts",
}  # fmt: skip
# Of SkyPilot's YAML reference.
SKY = {
    "name", "workdir", "num_nodes", "resources", "envs", "secrets", "volumes", "file_mounts",
    "setup",
    "run", "config",
}  # fmt: skip


def read(name: str) -> dict:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def strange_fields(job: dict) -> set[str]:
    """Fields of a RayJob that KubeRay does not know."""
    cluster = job["spec"]["rayClusterSpec"]
    head = {"template", "headService", "enableIngress", "rayStartParams", "serviceType"}
    groups = [set(group) - RAY_GROUP for group in cluster["workerGroupSpecs"]]
    return set().union(
        set(job["spec"]) - RAY_JOB, set(cluster) - RAY_CLUSTER,
        set(cluster["headGroupSpec"]) - head, *groups,
    )  # fmt: skip


def test_the_manifest_has_the_fields_of_a_ray_job():
    job = read("kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert strange_fields(job) == set()
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    job["spec"]["entryPoint"] = "x"  # the control
    assert strange_fields(job) == {"entryPoint"}


def test_ray_accepts_the_cluster_file():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = read("ray-up.yaml")
    validate_config(prepare_config(copy.deepcopy(config)))  # as `ray up` does
    assert config["head_node_type"] in config["available_node_types"]
    wrong = config | {"head_node_typ": "head"}  # the control: jsonschema's error
    with pytest.raises(Exception, match="head_node_typ"):
        validate_config(prepare_config(copy.deepcopy(wrong)))


def test_the_task_has_the_fields_of_skypilot():
    task = read("skypilot.yaml")
    assert set(task) <= SKY and not {*task, "setups"} <= SKY
    for part in ("setup", "run"):
        assert subprocess.run(["bash", "-n"], input=task[part], text=True).returncode == 0


@pytest.mark.parametrize("name", [path.name for path in DEPLOY.glob("*.*")])
def test_the_commands_of_a_file_are_commands(name, tmp_path):
    text = (DEPLOY / name).read_text(encoding="utf-8")
    commands = re.findall(r"mutransfer (run|status) ([^\n']*)", text)
    assert commands
    for command, words in commands:
        known = call(tmp_path, command, "--help").stdout
        assert [w for w in re.findall(r"--[a-z-]+", words) if w not in known] == []
        assert "--spek" not in known  # the control


# The Slurm script, as a real process; of Slurm itself there is nothing on a test machine, so `srun`
# runs its command here and `scontrol` writes down what it is asked for.
SRUN = """#!/usr/bin/env bash
while [[ $1 == -* ]]; do [[ $1 == -w || $1 == -x ]] && shift; shift; done
exec "$@"
"""
SCONTROL = '#!/usr/bin/env bash\necho "$@" >> "$ASKED"\n'
RAY_SLEEPS = "#!/usr/bin/env bash\nexec sleep 120\n"
PYTHON_WAITS_FOR_NOTHING = "#!/usr/bin/env bash\ncat > /dev/null\n"
DRIVER = """#!/usr/bin/env bash
trap 'echo stopped; exit 143' TERM
echo started
for _ in {1..300}; do [ -e "$FINISH" ] && exit 0; sleep 0.1; done
"""


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def start_job(folder: Path, **programs: str) -> subprocess.Popen:
    """Start the script as Slurm does: as the leader of a group, with its variables."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name, text in ({"srun": SRUN, "scontrol": SCONTROL} | programs).items():
        program(bin_, name, text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {
        "PATH": f"{bin_}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "RAY_PORT": str(port),
        "NODE_IP": "127.0.0.1", "ASKED": str(folder / "asked"), "FINISH": str(folder / "finish"),
    }  # fmt: skip
    return subprocess.Popen(
        ["bash", SLURM, "tiny"], cwd=folder, env=os.environ | ours, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def end(job: subprocess.Popen) -> str:
    """Wait for the script, then end what it left, as Slurm does; returns its output."""
    try:
        job.wait(timeout=120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    return job.communicate()[0]


@pytest.mark.parametrize(
    ("sent", "code", "asked"),
    [
        (signal.SIGUSR1, 143, "requeue 7\n"),  # the time is nearly up
        (signal.SIGTERM, 143, None),  # cancelled: it is not queued again
        (None, 0, None),  # it finished
    ],
)
def test_the_slurm_script_stops_the_driver_and_queues_the_job_again(tmp_path, sent, code, asked):
    stand_ins = {"ray": RAY_SLEEPS, "python": PYTHON_WAITS_FOR_NOTHING, "mutransfer": DRIVER}
    job = start_job(tmp_path, **stand_ins)
    assert job.stdout.readline() == "started\n"
    if sent is None:
        (tmp_path / "finish").touch()
    else:
        job.send_signal(sent)  # to the script alone, as --signal=B: does
    output = end(job)
    assert job.returncode == code, output
    assert ("stopped" in output) == (sent is not None)
    file = tmp_path / "asked"
    assert (file.read_text() if file.exists() else None) == asked


def test_a_driver_that_fails_is_not_queued_again(tmp_path):
    fails = DRIVER.replace("exit 143", "exit 1")
    stand_ins = {"ray": RAY_SLEEPS, "python": PYTHON_WAITS_FOR_NOTHING, "mutransfer": fails}
    job = start_job(tmp_path, **stand_ins)
    assert job.stdout.readline() == "started\n"
    job.send_signal(signal.SIGUSR1)
    end(job)
    assert job.returncode == 1 and not (tmp_path / "asked").exists()


@pytest.mark.slow
def test_a_study_on_the_slurm_script_goes_on_after_its_time_was_up(tmp_path):
    """Ray, its token, the driver and the signals are real; the table is the undisturbed one."""
    text = TINY.replace("steps: 6", "steps: 30")
    write_spec(tmp_path, text)
    store = Store(str(tmp_path / "runs/tiny"))
    ours = {"mutransfer": f'#!/usr/bin/env bash\nexec {sys.executable} -m mutransfer "$@"\n'}
    job = start_job(tmp_path, **ours)
    deadline = time.monotonic() + 120
    while len(store.names("trials", ".parquet")) < 2:
        assert job.poll() is None and time.monotonic() < deadline, end(job)
        time.sleep(0.1)
    job.send_signal(signal.SIGUSR1)
    output = end(job)
    assert job.returncode == 143 and "type the same command again" in output, output
    assert (tmp_path / "asked").read_text() == "requeue 7\n"
    assert events.read(store)[-1]["outcome"] == "stopped"
    again = start_job(tmp_path, **ours)
    output = end(again)
    assert again.returncode == 0, output
    undisturbed = Store(str(tmp_path / "inline"))
    driver.run_inline(driver.State.load(study_of(text), undisturbed))
    assert same(store.table(), undisturbed.table()) == []
    assert len(undisturbed.table()) > 10
