#!/usr/bin/env bash
# A search on Slurm: Ray on every node of the job, the driver on the first.
#   sbatch docs/operations/slurm.sh net2net --trials 200 --out /shared/runs/net2net \
#     --workers 32 --cpus-per-worker 2
# The arguments are those of growsearch run. The run folder is one that all nodes see.
#SBATCH --job-name=growsearch
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=growsearch-%j.log
# For GPUs, add --gpus-per-node=4 here and --gpus-per-worker=1 to the arguments.
set -euo pipefail

# . /shared/growsearch/.venv/bin/activate   # the environment with growsearch[ray], on all nodes

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
read -r first < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
ip=$(hostname -I | cut -d ' ' -f 1)         # of a faster network, if there is one
port=$((20000 + SLURM_JOB_ID % 10000))      # another job on this node has another

ray start --head --node-ip-address="$ip" --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" \
  --include-dashboard=false --disable-usage-stats --block &
head=$!
trap 'kill "$head"; wait "$head" || true' EXIT   # not ray stop, which ends those of other jobs too
until ray status --address="$ip:$port" >/dev/null 2>&1; do
  kill -0 "$head"                           # else it failed, and said why
  sleep 1
done
others=$((SLURM_JOB_NUM_NODES - 1))
if [ "$others" -gt 0 ]; then
  srun --nodes="$others" --ntasks="$others" --exclude="$first" \
    --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 \
    ray start --address="$ip:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
fi

growsearch run "$@" --ray "$ip:$port" &     # workers of a node that comes later join in
driver=$!
again=no interrupted=no
trap 'interrupted=yes again=yes; kill -TERM "$driver"' USR1   # 300 s before the time limit
trap 'interrupted=yes; kill -TERM "$driver"' TERM             # scancel, or a preemption
wait "$driver" && status=0 || status=$?
if [ "$interrupted" = yes ]; then           # a trap ends the first wait, not the driver
  wait "$driver" && status=0 || status=$?
fi

# 75: the database or the cluster is gone. The same command continues the run.
if [ "$status" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 5 ]; then
  again=yes
fi
if [ "$again" = yes ] && [ "$status" -ne 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
