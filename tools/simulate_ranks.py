"""What a grid of any size would take on any number of machines, simulated from the cell times of a run that was made.

    simulate_ranks.py RUN [--arms N] [--ranks 1,4,16,64] [--start SECONDS] [--slower X]

Cells are dealt out as the program does: the n-th of a stage to rank n modulo the number of ranks; a rank makes what is ready, stage by stage, and helps
others where it would wait. Each simulated cell takes the time of a cell of its stage drawn at random (seeded) from the run's records. --arms multiplies
the pictures; trainings and sets stay. --start: seconds of a rank before its first cell (reading the plan, opening the model). --slower: a machine of
that many times the run's seconds a cell.
"""
import argparse
import glob
import heapq
import json
import os
import random

STAGES = ["set-picture", "set", "lora", "embedding", "random-lora", "merged-lora", "picture", "metrics"]
NEEDS = {"set": "set-picture", "lora": "set", "embedding": "set", "random-lora": "lora", "merged-lora": "lora", "picture": "merged-lora", "metrics": "picture"}


def times_of(run):
    times = {stage: [] for stage in STAGES}
    for file in glob.glob(os.path.join(glob.escape(run), "**", "*.json"), recursive=True):
        with open(file) as f:
            record = json.load(f)
        if record.get("stage") in times and "total" in record.get("timings_s", {}):
            times[record["stage"]].append(record["timings_s"]["total"])
    return times


def simulate(counts, times, ranks, start, slower):
    """Seconds until every rank is done, and the share of that time in which ranks work. A stage begins when the one it needs is over: the longest wait there can be."""
    draw = random.Random(0)
    over, worked, end = {}, 0.0, start
    free = [start] * ranks
    for stage in STAGES:
        durations = [slower * draw.choice(times[stage]) for _ in range(counts[stage])] if times[stage] else []
        begin = over.get(NEEDS.get(stage), start)
        queue = [max(at, begin) for at in free]
        heapq.heapify(queue)  # whoever is free helps, so the next cell goes to the first free rank
        for seconds in durations:
            heapq.heappush(queue, heapq.heappop(queue) + seconds)
        worked += sum(durations)
        free = sorted(queue)
        over[stage] = max(free) if durations else begin
        end = max(end, over[stage])
    return end, worked / (ranks * end)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--arms", type=int, default=1000)
    parser.add_argument("--ranks", default="1,4,16,64,256")
    parser.add_argument("--start", type=float, default=5)
    parser.add_argument("--slower", type=float, default=1)
    args = parser.parse_args()
    with open(os.path.join(args.run, "plan.json")) as f:
        plan = json.load(f)
    times = times_of(args.run)
    counts = {stage: len({cell["file"] for cell in plan["cells"] if cell["stage"] == stage}) for stage in STAGES}
    per_arm = counts["picture"] / len(plan["arms"])
    counts["picture"] = counts["metrics"] = round(per_arm * args.arms)
    print(f"{args.arms} arms, {counts['picture']} pictures; mean seconds a cell: " +
          ", ".join(f"{stage} {args.slower * sum(t) / len(t):.3g}" for stage, t in times.items() if t))
    print(f"{'ranks':>6} {'hours':>9} {'working':>8}")
    for ranks in map(int, args.ranks.split(",")):
        seconds, share = simulate(counts, times, ranks, args.start, args.slower)
        print(f"{ranks:>6} {seconds / 3600:>9.2f} {100 * share:>7.0f}%")


if __name__ == "__main__":
    main()
