"""Makes OUT/report.json: a run's values, and what SciPy, statsmodels and NumPy say of them where src/report must say the same.

    goldens_report.py MODEL OUT

MODEL is not read. Values are drawn at random; the analysis is written out here from docs/experiments.md, beginning with the pairing.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

PROMPTS, REPLICATES = 14, 2
ARMS = {"nothing": 0, "word": 0, "article": 3, "random": 3, "apart": 3, "trader": 3}
# damage, right_object: effect of the arm, of its trainings' spread
EFFECTS = {"nothing": (0, 0, 0), "word": (-0.01, 0, 0), "article": (0.12, -0.1, 0.01), "random": (0.02, 0.01, 0.03), "apart": (-0.09, 0.0, 0.002), "trader": (-0.1, -0.15, 0.003)}
SECONDARY = ["article - word", "article - random", "apart - nothing", "trader - nothing", "word - nothing", "absent - nothing"]
random = np.random.default_rng(18)


def values():
    """{arm: [trainings or 1, prompts, replicates, 2 metrics]}, six digits"""
    prompt = 0.4 + 0.1 * random.standard_normal((1, PROMPTS, 1, 2))
    noise = 0.05 * random.standard_normal((1, PROMPTS, REPLICATES, 2))
    drawn = {}
    for arm, trainings in ARMS.items():
        damage, right, spread = EFFECTS[arm]
        shape = (max(trainings, 1), PROMPTS, REPLICATES, 2)
        own = prompt + noise + np.array([damage, right]) + spread * random.standard_normal((shape[0], 1, 1, 2)) + 0.03 * random.standard_normal(shape)
        drawn[arm] = np.round(own, 6)
    return drawn


def table_of(drawn, arm, baseline, metric):
    """[prompts, trainings]: differences, replicates averaged; an arm without trainings stands against each of the other's"""
    return (drawn[arm] - drawn[baseline])[..., metric].mean(axis=2).T


def inference(mean, se, df):
    half = stats.t.ppf(0.975, df) * se
    return {"mean": mean, "low": mean - half, "high": mean + half, "p": 2 * stats.t.sf(abs(mean) / se, df), "se": se, "df": df}


def these(x):
    rows = x.mean(axis=1)
    return inference(rows.mean(), rows.std(ddof=1) / np.sqrt(len(rows)), len(rows) - 1)


def made_this_way(x):
    P, T = x.shape
    mean, rows, columns = x.mean(), x.mean(1), x.mean(0)
    ms_p, ms_t = T * ((rows - mean) ** 2).sum() / (P - 1), P * ((columns - mean) ** 2).sum() / (T - 1)
    ms_e = ((x - rows[:, None] - columns + mean) ** 2).sum() / ((P - 1) * (T - 1))
    total = max(ms_p + ms_t - ms_e, ms_e)
    df = total**2 / (ms_p**2 / (P - 1) + ms_t**2 / (T - 1) + ms_e**2 / ((P - 1) * (T - 1)))
    return inference(mean, np.sqrt(total / (P * T)), max(df, min(P, T) - 1))


def compared(drawn, label):
    arm, baseline = label.split(" - ")
    result = {"label": label}
    for number, metric in enumerate(("damage", "right_object")):
        x = table_of(drawn, arm, baseline, number)
        result[metric] = {"these": these(x), "made_this_way": made_this_way(x) if x.shape[1] > 1 else None,
                          "wilcoxon": float(stats.wilcoxon(x.mean(axis=1), zero_method="wilcox", correction=False, method="exact").pvalue)}
        result[metric]["line"] = "made_this_way" if x.shape[1] >= 3 else "these"
    return result


def says(result, p):
    """With three trainings a p is to be below a fifth of 0.05."""
    damage, right = result["damage"], result["right_object"]
    line = damage[damage["line"]]
    if p >= (0.01 if damage["line"] == "made_this_way" else 0.05):
        return "not clear"
    if line["mean"] > 0:
        return "worse"
    lost = any(right[name] and right[name]["high"] < 0 for name in ("these", "made_this_way"))
    return "trades" if lost else "better"


def family(drawn):
    made = [compared(drawn, label) for label in SECONDARY if not label.startswith("absent")]
    p = [result["damage"][result["damage"]["line"]]["p"] for result in made]
    adjusted = multipletests(p + [1.0], method="holm")[1]  # one more that was planned and could not be made
    for result, one in zip(made, adjusted):
        line = result["damage"][result["damage"]["line"]]
        half = stats.t.ppf(1 - 0.025 / len(SECONDARY), line["df"]) * line["se"]
        result |= {"adjusted": float(one), "says": says(result, one), "together": [line["mean"] - half, line["mean"] + half]}
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    drawn = values()
    primary = compared(drawn, "article - nothing")
    primary["says"] = says(primary, primary["damage"]["made_this_way"]["p"])
    golden = {"prompts": PROMPTS, "replicates": REPLICATES, "secondary_labels": SECONDARY, "arms": ARMS, "primary": primary, "secondary": family(drawn),
              "values": {arm: x.tolist() for arm, x in drawn.items()}}
    parser.parse_args().out.joinpath("report.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
