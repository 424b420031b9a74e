"""A cluster at an address is sent this code and the user's packages, and runs them."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray._private.runtime_env.packaging import create_package

import mutransfer
from mutransfer.sweep import spec
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.run import ray_cluster, supervise
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store.store import Store
from tests.environments import SITE, environment, python
from tests.sweep.command_line import CLI

EXAMPLE = Path(__file__).parents[3] / "examples/custom"
# A trainer that records where it and our package were imported from.
TRAINER = """
import pathlib

import mutransfer
from mutransfer.sweep.run import worker


def run(trial):
    files = __file__, mutransfer.__file__, worker.__file__
    pathlib.Path("NOTES").write_text("\\n".join(files))
    for step in (0, trial.steps):
        yield {"step": step, "val_loss": 2.0 - step / 100}
"""
SPEC = """
version: 1
studies:
  own:
    model: {family: custom, build: 'PACKAGE.transformer:build', loss: 'PACKAGE.transformer:loss',
            base_width: 16}
    data: {source: custom, build: 'PACKAGE.transformer:data'}
    trial: 'PACKAGE.trainer:run'
    train: {steps: 8, batch_size: 16, n_val: 1}
    parameters:
      lr: {log2: [-8, -5]}
    search: {width: 16, trials: 2, generation: 2}
    transfer:
      {parameters: [lr], widths: [16, 32], points: 3, refine: false, seeds: 1, max_extend: 0}
    target: {width: 64, check: slices, points: 3, seeds: 1, tolerance: {rel_loss: 0.05}}
    coordcheck: {gate: skip}
"""


def write_study(folder: Path, package: str) -> Path:
    """Write a spec and the package of its functions; returns the path of the spec."""
    shutil.copytree(EXAMPLE, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / package / "__init__.py").touch()
    (folder / package / "trainer.py").write_text(TRAINER.replace("NOTES", str(folder / "notes")))
    path = folder / "sweeps.yaml"
    path.write_text(SPEC.replace("PACKAGE", package))
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Iterator[Study]:
    path = list(sys.path)
    yield spec.read(write_study(tmp_path_factory.mktemp("sent"), "package_to_send"))["own"]
    sys.path[:] = path


def archived(folder: str, target: Path) -> dict[str, bytes]:
    """The files that Ray sends of a folder: content by name."""
    create_package(folder, target, include_gitignore=True, include_parent_dir=True)
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_rays_archive_follows_the_links_to_the_three_folders(study, tmp_path):
    ours, _ = ray_cluster.sent_packages(study)
    content = archived(ours, tmp_path / "ours.zip")
    folder = Path(mutransfer.__file__).parent
    modules = [
        path
        for part in (".", "analysis", "proxies", "sweep")
        for path in (folder / part).resolve().glob("**/*.py" if part != "." else "*.py")
    ]
    assert len(modules) > 100
    by_name = {name.removeprefix("mutransfer/"): text for name, text in content.items()}
    root = folder.resolve().parents[1]  # src/mutransfer lies beside the three folders
    for path in modules:
        is_top = path.parent == folder.resolve()
        name = path.name if is_top else str(path.relative_to(root))
        assert by_name[name] == path.read_bytes()
    assert any(name.endswith(".html.j2") for name in by_name), "templates are a part of it"


def test_the_package_of_the_users_functions_is_sent_too(study, tiny, tmp_path):
    _, users = ray_cluster.sent_packages(study)
    assert "package_to_send/trainer.py" in archived(users, tmp_path / "users.zip")
    assert len(ray_cluster.sent_packages(tiny)) == 1  # it has no functions of a user


@pytest.fixture
def cluster(tmp_path) -> Iterator[str]:
    """The address of a Ray head whose environment has Ray and torch, and no mutransfer."""
    executable = environment(tmp_path / "env", None, SITE)
    folder = tmp_path / "head"
    folder.mkdir()
    assert "No module named 'mutransfer'" in python(executable, "import mutransfer", folder).stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    temp = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a socket's path is at most 107 bytes long
    words = ["start", "--head", "--block", "--num-cpus", "1", "--port", str(port)]
    words += ["--include-dashboard=false", "--disable-usage-stats", "--temp-dir", temp]
    words += ["--node-ip-address", "127.0.0.1"]
    command = [str(executable), "-c", "from ray.scripts.scripts import main; main()", *words]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with (folder / "log").open("w") as log:
        head = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
    try:
        yield wait_for_address(folder / "log", head)
    finally:
        supervise.end(head.pid)
        head.wait()
        shutil.rmtree(temp, ignore_errors=True)


def wait_for_address(log: Path, head: subprocess.Popen, timeout_s: float = 60) -> str:
    deadline = time.monotonic() + timeout_s
    while not (match := re.search(r"--address='(\S+)'", log.read_text())):
        assert head.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    return match[1]


@pytest.mark.slow
def test_a_cluster_without_mutransfer_runs_a_study_with_the_code_that_it_is_sent(tmp_path, cluster):
    folder = tmp_path / "user"
    folder.mkdir()
    path = write_study(folder, "package_on_cluster")
    resources = f"    resources: {{address: '{cluster}', cpus_per_trial: 1}}\n"
    path.write_text(path.read_text() + resources)
    where = ["--spec", str(path), "--runs", str(folder / "runs")]
    done = subprocess.run(
        [*CLI, "run", "own", *where], cwd=tmp_path, text=True, capture_output=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert set(Store(str(folder / "runs/own")).table()["status"]) == {"done"}
    files = (folder / "notes").read_text().splitlines()
    assert all("/py_modules_files/" in file for file in files), files


CONNECT = """
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
print(ray.get(ray.remote(lambda: "ran")._remote((), num_cpus=0)))
"""


def without_a_token(**variables: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ray_cluster.AUTH_VARIABLES} | variables


@pytest.mark.slow
def test_a_cluster_of_ours_runs_code_for_its_token_alone(tiny, tiny_spec, monkeypatch, tmp_path):
    """Another process of this machine or its network finds Ray's servers, and no way in."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # as some set it for clusters of their own
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with ray_cluster.connected(tiny):
        address = ray.get_runtime_context().gcs_address

        def connect(**variables: str) -> subprocess.CompletedProcess:
            command = [sys.executable, "-c", CONNECT, address]
            env = without_a_token(**variables)
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)

        for variables in ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "0" * 64}):
            assert "ran" not in connect(**variables).stdout
        own = connect(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=ray_cluster.TOKEN)  # the control
        assert own.stdout == "ran\n", own.stderr
        # A cluster at an address that asks for a token, for a user who has none.
        at_address = f"    resources: {{address: '{address}'}}\n"
        tiny_spec.write_text(tiny_spec.read_text() + at_address)
        command = [*CLI, "run", "tiny"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=without_a_token(),
            text=True,
            capture_output=True,
            timeout=100,
        )
    assert done.returncode == 2 and "token" in done.stderr and "RAY_AUTH_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.environ["RAY_AUTH_MODE"] == "disabled" and "RAY_AUTH_TOKEN" not in os.environ
    assert not (tmp_path / "home/.ray").exists()  # no token is left behind


def test_ray_has_a_short_folder_where_that_of_temporary_files_is_long(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    assert ray_cluster.short_temp_dir() is None
    monkeypatch.setattr(tempfile, "tempdir", "/scratch/slurm/job_123456/" + "a" * 80)
    folder = ray_cluster.short_temp_dir()
    assert folder is not None and len(folder) <= ray_cluster.MAX_TEMP_BYTES
    monkeypatch.setattr(ray_cluster, "SHORT_FOLDERS", (str(tmp_path / "none"),))
    with pytest.raises(UserError, match="TMPDIR"):
        ray_cluster.short_temp_dir()
