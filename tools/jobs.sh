#!/usr/bin/env bash
# How many compilers to run at once: one a core, but no more than memory allows at 1.5 GiB each.
free_kib=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)
limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null)  # a container's own limit, or "max"
if [[ $limit =~ ^[0-9]+$ ]] && ((limit / 1024 < free_kib)); then free_kib=$((limit / 1024)); fi
jobs=$((free_kib / 1572864))
cores=$(nproc)
((jobs < cores)) || jobs=$cores
((jobs > 0)) || jobs=1
echo "$jobs"
