"""Makes OUT/stats.json: what scipy, statsmodels and NumPy say where src/stats must say the same.

    goldens_stats.py MODEL OUT

MODEL is not read. Wilcoxon, t and Welch are scipy's; Wilson, Holm and the power of the t test statsmodels'; the two-way interval and its
power are NumPy from the formulas of docs/experiments.md; strengths of arms are SciPy's maximum of Davidson's likelihood and evalica's, agreement is krippendorff's; bootstrap intervals are numpy.percentile over resamples drawn as documented there.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

random = np.random.default_rng(16)


def listed(values):
    return [float(v) for v in np.ravel(values)]


def wilcoxon():
    def case(differences, method):
        r = stats.wilcoxon(differences, zero_method="wilcox", correction=False, alternative="two-sided", method=method)
        return {"differences": listed(differences), "method": method, "statistic": float(r.statistic), "p": float(r.pvalue)}

    normal = lambda n, shift=0.3: np.round(random.standard_normal(n) + shift, 6)
    coarse = lambda n: np.round(random.standard_normal(n) * 2) / 2
    cases = [case(normal(n), "exact") for n in (1, 2, 3, 5, 6, 12, 24, 25)]
    cases += [case(np.append(normal(n), [0, 0]), "exact") for n in (4, 25)]  # zeros do not count
    cases += [case(-np.arange(1.0, 26), "exact"), case(np.array([1.0, -2, 3, -4, -5, 6, 8]), "exact")]
    cases += [case(normal(n), "asymptotic") for n in (26, 48, 96)]
    cases += [case(coarse(n), "asymptotic") for n in (12, 25, 96)]  # ties and zeros
    return cases + [case(np.array(v, float), "asymptotic") for v in ([1, 1], [1, -1, 1], [2] * 30, [0, 0, 3, 3, -3])]


def wilson():
    rows = []
    for hits, n in ((0, 1), (1, 1), (0, 12), (12, 12), (5, 12), (36, 48), (1, 1000)):
        for level in (0.95, 0.995):
            low, high = proportion_confint(hits, n, alpha=1 - level, method="wilson")
            rows.append({"hits": hits, "pictures": n, "level": level, "low": float(low), "high": float(high)})
    return rows


def holm():
    families = [[0.04], [0.01, 0.04, 0.03, 0.005], [0.02, 0.02, 0.02], [0.9, 0.5, 1.0, 0.0, 0.3], listed(np.round(random.random(20) ** 3, 5))]
    return [{"p": p, "adjusted": listed(multipletests(p, method="holm")[1])} for p in families]


def t_intervals():
    rows = []
    for n in (2, 3, 12, 96):
        values, level = np.round(random.standard_normal(n) + 0.4, 6), 0.99 if n == 3 else 0.95
        r = stats.ttest_1samp(values, 0)
        interval = r.confidence_interval(level)
        rows.append({"values": listed(values), "level": level, "p": float(r.pvalue), "low": float(interval.low), "high": float(interval.high)})
    return rows


def welch():
    rows = []
    for n, m in ((2, 2), (4, 30), (12, 7)):
        first, second = np.round(random.standard_normal(n), 6), np.round(2 * random.standard_normal(m) + 1, 6)
        r = stats.ttest_ind(second, first, equal_var=False)
        interval = r.confidence_interval(0.95)
        rows.append({"first": listed(first), "second": listed(second), "df": float(r.df), "p": float(r.pvalue), "low": float(interval.low), "high": float(interval.high)})
    return rows


def squares(x):
    P, T = x.shape
    mean, rows, columns = x.mean(), x.mean(1), x.mean(0)
    return (mean, T * ((rows - mean) ** 2).sum() / (P - 1), P * ((columns - mean) ** 2).sum() / (T - 1),
            ((x - rows[:, None] - columns + mean) ** 2).sum() / ((P - 1) * (T - 1)))


def satterthwaite(ms_p, ms_t, ms_e, P, T):
    total = max(ms_p + ms_t - ms_e, ms_e)
    df = total**2 / (ms_p**2 / (P - 1) + ms_t**2 / (T - 1) + ms_e**2 / ((P - 1) * (T - 1)))
    return np.sqrt(total / (P * T)), max(df, min(P, T) - 1)


def tables():
    """Tables of random effects, one whose interaction is larger than both other mean squares, one whose Satterthwaite df is below T - 1."""
    for P, T, training in ((2, 2, 0.3), (12, 3, 0.3), (12, 5, 0.1), (48, 3, 0.0)):
        x = random.standard_normal((P, 1)) * 1.4 + training * random.standard_normal(T) + 0.5 * random.standard_normal((P, T)) + 0.5
        yield np.round(x, 6)
    yield np.array([[1.0, 2.0, 1.5], [2.0, 1.0, 1.5], [1.0, 2.0, 1.6]])
    x = np.array([[1.0, -1, 0], [-1, 1, 0]] * 6) + np.array([0.40, 0, -0.45])
    yield x


def two_way():
    rows = []
    for x in tables():
        P, T = x.shape
        mean, ms_p, ms_t, ms_e = squares(x)
        se, df = satterthwaite(ms_p, ms_t, ms_e, P, T)
        half = stats.t.ppf(0.975, df) * se
        rows.append({"prompts": P, "trainings": T, "table": listed(x), "mean": mean, "ms_prompts": ms_p, "ms_trainings": ms_t, "ms_interaction": ms_e,
                     "standard_error": se, "df": df, "low": mean - half, "high": mean + half, "p": 2 * stats.t.sf(abs(mean) / se, df)})
    return rows


def t_power(effect, se, df, alpha=0.05):
    critical = stats.t.ppf(1 - alpha / 2, df)
    return stats.nct.sf(critical, df, effect / se) + stats.nct.cdf(-critical, df, effect / se)


def power():
    chances = [{"noncentrality": d, "df": df, "alpha": alpha, "power": float(t_power(d, 1, df, alpha))}
               for d in (0.1, 1.0, 2.8, 6.0) for df in (1, 2.5, 11, 95, 5000) for alpha in (0.05, 0.001)]
    prompts = []
    for values in ([0.9, -0.3, 0.5, 0.2, 0.1], [0.1, 0.3, -0.25, 0.02, 0.08, -0.1], [1.0, 0.4, 1.3]):
        d = np.mean(values) / np.std(values, ddof=1)
        n = next(n for n in range(2, 10**6) if TTestPower().power(d, n, 0.05) >= 0.8)
        prompts.append({"values": values, "prompts": n})
    return chances, prompts


def power_of_trainings():
    """Numbers by trying all of a range; None where no number of prompts up to 5000 would do."""
    rows = []
    for training, effect in ((0.05, 0.8), (0.6, 1.3), (0.3, 0.3)):
        x = np.round(random.standard_normal((12, 1)) + training * np.array([-1.2, 0.1, 1.1]) + 0.3 * random.standard_normal((12, 3)), 6)
        _, ms_p, ms_t, ms_e = squares(x)
        of_p, of_t = max(0, ms_p - ms_e) / 3, max(0, ms_t - ms_e) / 12

        def smallest(P, T):  # index of the first of these designs that is enough
            ms_p, ms_t = ms_e + T * of_p, ms_e + P * of_t
            total = ms_p + ms_t - ms_e
            df = total**2 / (ms_p**2 / (P - 1) + ms_t**2 / (T - 1) + ms_e**2 / ((P - 1) * (T - 1)))
            enough = t_power(effect, np.sqrt(total / (P * T)), np.maximum(df, np.minimum(P, T) - 1)) >= 0.8
            return int(enough.argmax()) + 2 if enough.any() else None

        many = np.arange(2.0, 5000)
        prompts, trainings, with_them = smallest(many, 3), None, None
        if not prompts:
            trainings = smallest(12, many)
        if not prompts and not trainings:
            trainings, with_them = next((T, P) for T in range(2, 1000) if (P := smallest(many, T)))
        rows.append({"table": listed(x), "trainings": 3, "effect": effect, "prompts_needed": prompts, "trainings_needed": trainings, "prompts_with_them": with_them})
    return rows


def coverage():
    """Lowest coverage of Satterthwaite's interval for many prompts: see advice_on_trainings."""
    rows = []
    for T in (2, 3, 4, 5, 8):
        c = stats.chi2.ppf((np.arange(50) + 0.5) / 50, T - 1) / (T - 1)
        lowest = 1.0
        for share in np.arange(25, 51) / 50:
            v = 1 - share + share * c
            df = v**2 / (share**2 * c**2 / (T - 1))
            lowest = min(lowest, float((2 * stats.norm.cdf(stats.t.ppf(0.975, df) * np.sqrt(v)) - 1).mean()))
        rows.append({"trainings": T, "lowest": lowest})
    return rows


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    def below(self, count):
        while True:
            drawn = self.next()
            if drawn < 2**64 // count * count:
                return drawn % count


def resamples(counts, seed, number):
    begins, outer = np.cumsum([0] + counts), SplitMix(seed)
    for _ in range(number):
        random, drawn = SplitMix(outer.next()), []
        for _ in counts:
            prompt = random.below(len(counts))
            drawn += [int(begins[prompt]) + random.below(counts[prompt]) for _ in range(counts[prompt])]
        yield drawn


def bootstrap():
    rows = []
    for counts, seed, number, level in (([2, 1, 3, 2, 2, 4], 7, 200, 0.95), ([1] * 12, 2**64 - 1, 500, 0.9)):
        values = np.round(random.standard_normal(sum(counts)), 6)
        drawn = list(resamples(counts, seed, number))
        low, high = np.percentile([values[d].mean() for d in drawn], [50 - 50 * level, 50 + 50 * level])
        rows.append({"pictures_of_prompt": counts, "seed": seed, "resamples": number, "level": level, "values": listed(values), "first": drawn[0],
                     "last": drawn[-1], "low": low, "high": high})
    return rows


def judged(arms, prompts, tie):
    """Pairs of random arms, one or two a prompt, as (prompt, first, second, "first" | "second" | "tie")."""
    strengths = random.standard_normal(arms) * 0.7
    rows = []
    for prompt in range(prompts):
        for _ in range(1 + prompt % 2):
            a, b = random.choice(arms, 2, replace=False)
            weights = np.exp([strengths[a], strengths[b], (strengths[a] + strengths[b]) / 2 + np.log(tie)]) if tie else np.exp(strengths[[a, b]])
            rows.append([prompt, int(a), int(b), ["first", "second", "tie"][random.choice(len(weights), p=weights / weights.sum())]])
    return rows


def davidson():
    """SciPy's maximum of Davidson's likelihood, written down without its gradient; without ties evalica's scores beside it."""
    import evalica

    rows = []
    for arms, prompts, tie in ((2, 40, 0.5), (4, 120, 0.8), (7, 300, 1.5), (3, 90, 0)):
        pairs = judged(arms, prompts, tie)
        has_ties = any(row[3] == "tie" for row in pairs)

        a, b = np.array([row[1:3] for row in pairs]).T
        outcome = np.array([["first", "second", "tie"].index(row[3]) for row in pairs])

        def loss(x):
            s = np.append(0, x[: arms - 1])
            logs = np.stack([s[a], s[b], (s[a] + s[b]) / 2 + (x[-1] if has_ties else -np.inf)])
            return np.log(np.exp(logs).sum(0)).sum() - logs[outcome, np.arange(len(pairs))].sum()

        def gradient(x):  # by complex steps: exact, and not from formulas
            return np.array([loss(x + 1e-20j * step).imag / 1e-20 for step in np.eye(len(x))])

        fit = optimize.minimize(loss, np.zeros(arms - 1 + has_ties), jac=gradient, method="BFGS", options={"gtol": 1e-9})
        assert np.abs(gradient(fit.x)).max() < 1e-6, fit
        logs = np.append(0, fit.x[: arms - 1])
        row = {"pairs": pairs, "arms": arms, "log_strengths": listed(logs - logs.mean()), "tie": float(np.exp(fit.x[-1])) if has_ties else 0.0}
        if not has_ties:
            winners = [evalica.Winner.X if won == "first" else evalica.Winner.Y for *_, won in pairs]
            scores = evalica.bradley_terry([str(a) for _, a, _, _ in pairs], [str(b) for _, _, b, _ in pairs], winners, tolerance=1e-13, limit=100000).scores
            logs = np.log([scores[str(arm)] for arm in range(arms)])
            row["evalica"] = listed(logs - logs.mean())
        rows.append(row)
    return rows


def alpha():
    """The package krippendorff: raters' values of each unit, some absent."""
    import krippendorff

    rows = []
    for raters, units, agree in ((2, 12, 0.8), (3, 40, 0.5), (5, 25, 0.95)):
        truth = random.integers(0, 4, units)
        table = np.where(random.random((raters, units)) < agree, truth, random.integers(0, 4, (raters, units))).astype(float)
        table[random.random(table.shape) < 0.2] = np.nan
        value = krippendorff.alpha(reliability_data=table, level_of_measurement="nominal")
        rows.append({"units": [[int(v) for v in table[:, unit] if not np.isnan(v)] for unit in range(units)], "alpha": float(value)})
    return rows


def spearman():
    rows = []
    for n in (5, 40):
        x = np.round(random.standard_normal(n), 1)
        y = np.round(x + random.standard_normal(n), 1)
        rows.append({"x": listed(x), "y": listed(y), "value": float(stats.spearmanr(x, y).statistic)})
    return rows


def wilson_of_shares():
    """Wilson's interval as statsmodels has it, of halves of pictures."""
    rows = []
    for hits, n in ((22.5, 40), (0.5, 3), (7, 8)):
        low, high = proportion_confint(hits, n, alpha=0.05, method="wilson")
        rows.append({"share": hits / n, "pictures": n, "low": float(low), "high": float(high)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    chances, prompts = power()
    golden = {"wilcoxon": wilcoxon(), "wilson": wilson(), "holm": holm(), "t": t_intervals(), "welch": welch(), "two_way": two_way(), "t_test_power": chances,
              "power": prompts, "power_of_trainings": power_of_trainings(), "coverage": coverage(), "bootstrap": bootstrap(), "davidson": davidson(), "alpha": alpha(), "spearman": spearman(),
              "wilson_of_shares": wilson_of_shares()}
    lines = [f'"{key}":[\n' + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]" for key, rows in golden.items()]
    (args.out / "stats.json").write_text("{" + ",\n".join(lines) + "}\n")


main()
