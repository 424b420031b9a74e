#!/usr/bin/env bash
# A study on Slurm, on one node or several:  sbatch deploy/slurm.sh STUDY
# Near the end of its time the job stops cleanly and queues itself again; `run` continues the study.
#SBATCH --job-name=mutransfer
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Two minutes before the end of its time Slurm sends USR1, to this script alone (B:).
#SBATCH --signal=B:USR1@120
set -euo pipefail

study=${1:?usage: sbatch deploy/slurm.sh STUDY}
spec=${SPEC:-sweeps.yaml}
runs=${RUNS:-$PWD/runs}                              # on a file system that all nodes see
port=${RAY_PORT:-$((20000 + SLURM_JOB_ID % 20000))} # two jobs on one node do not meet
ip=${NODE_IP:-$(hostname -I | cut -d' ' -f1)}       # set NODE_IP where a node has several networks

# Whoever reaches Ray's ports may run code, so they ask for a token that only this job knows.
RAY_AUTH_TOKEN=$(od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_ADDRESS=$ip:$port
export TMPDIR=${RAY_TMPDIR:-/tmp} # that of Slurm may be too long for Ray's sockets

srun --nodes=1 --ntasks=1 --overlap -w "$(hostname)" \
  ray start --head --node-ip-address="$ip" --port="$port" --include-dashboard=false --block &
if ((SLURM_JOB_NUM_NODES > 1)); then
  others=$((SLURM_JOB_NUM_NODES - 1))
  srun --nodes="$others" --ntasks="$others" --overlap -x "$(hostname)" \
    bash -c 'until ray start --address="$RAY_ADDRESS" --block; do sleep 5; done' &
fi

# `run` counts the nodes once, at its start, so all of them must have joined.
python - "$SLURM_JOB_NUM_NODES" <<'EOF'
import sys, time
import ray

deadline, n = time.monotonic() + 300, 0
while n < int(sys.argv[1]):
    if time.monotonic() > deadline:
        sys.exit(f"{n} of {sys.argv[1]} nodes have joined Ray in 5 minutes; see the job's output")
    try:
        ray.init(address="auto", log_to_driver=False, ignore_reinit_error=True)
        n = sum(node["Alive"] for node in ray.nodes())
    except Exception:  # the head is not up yet
        pass
    time.sleep(1)
EOF

mutransfer run "$study" --spec "$spec" --runs "$runs" &
driver=$!
again=no
trap 'again=yes; kill -TERM "$driver"' USR1 # the time is nearly up
trap 'kill -TERM "$driver"' TERM            # scancel, or preemption, after which Slurm requeues
code=0
wait "$driver" || code=$?
while kill -0 "$driver" 2>/dev/null; do # a signal ended `wait`, not the driver
  code=0
  wait "$driver" || code=$?
done
if [ "$again" = yes ] && [ "$code" = 143 ]; then # stopped by us: not finished, nor failed
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
