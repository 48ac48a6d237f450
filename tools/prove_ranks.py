"""An experiment made by one process and by two under Open MPI's mpirun, on one folder: every picture, LoRA and metric the same."""
import json
import os
import subprocess
import sys

TOML = """
seed = 5
[default]
steps = 4
[prompts]
test = [{ prompt = "frog on a teal background", group = "animals" }, { prompt = "pizza on a red background", group = "food" }]
[sets.wrong]
keywords = ["blurry", "ugly"]
cfg_scale = [4, 6]
caption = "wrong"
[loras.wrong]
set = "wrong"
steps = 3
[loras.random]
random_of = "wrong"
[arms.nothing]
[arms.word]
negative_prompt = "wrong"
[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]
[arms.apart]
negative_prompt = "wrong"
negative_scale = 1
lora = ["wrong:1:negative"]
[arms.random]
negative_prompt = "wrong"
lora = ["random"]
"""


def rows(program, folder):
    """(case, what, measured, limit): the number of cells that differ, and of those that one of the two left to the other"""
    mpirun = os.path.join(os.path.dirname(sys.executable), "mpirun")
    toml = os.path.join(folder, "ranks.toml")
    with open(toml, "w") as f:
        f.write(TOML)

    def run(words, out):
        command = words + [program, "experiment", "run", toml, "-o", os.path.join(folder, out), "-q", "--json"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    case = "experiment, mpirun -n 2"
    alone, ranks = run([], "alone"), run([mpirun, "--oversubscribe", "--allow-run-as-root", "-n", "2"], "ranks")
    for ran in (alone, ranks):
        if ran.returncode != 0:
            yield case, f"failed: {ran.stderr.strip()[-300:]}", float("inf"), 0
            return
    compared = subprocess.run([program, "experiment", "diff", os.path.join(folder, "alone"), os.path.join(folder, "ranks"), "--json"],
                              capture_output=True, text=True, check=False)
    difference = json.loads(compared.stdout)
    cells = difference["same"]
    yield case, f"of {cells} cells differ from one process's", float(sum(difference[key] for key in ("different", "only_first", "only_second", "missing"))), 0
    made = [sum(stage["made"] for stage in report["stages"]) for report in reports(ranks.stdout)]
    yield case, f"ranks that made nothing (they made {' and '.join(map(str, sorted(made)))})", float(made.count(0)), 0


def reports(text):
    """The ranks print one after another or between each other's lines; each report is one JSON object."""
    decoder = json.JSONDecoder()
    found, at = [], text.find("{")
    while at >= 0:
        report, end = decoder.raw_decode(text, at)
        found.append(report)
        at = text.find("{", end)
    return found
