"""Rows of the proof and the page they become."""
import dataclasses
import importlib.metadata

PICTURE_LIMIT = 1 / 255


@dataclasses.dataclass
class Row:
    case: str
    what: str
    measured: float | None = None
    limit: float | None = None
    note: str = ""

    @property
    def ok(self):
        return self.measured is not None and self.measured <= self.limit

    def verdict(self):
        measured = self.note if self.measured is None else f"{self.measured:.1e}"
        return f"{self.what} {measured}{'' if self.ok else ' NO'}"


def relative(got, expected):
    """L2 distance over L2 length; the distance itself where zero is expected."""
    if got.shape != expected.shape:
        return float("inf")
    length = expected.norm().item()
    return (got - expected).norm().item() / (length or 1.0)


def picture_distance(got, expected):
    """What 99.9 % of the values, between 0 and 1, stay within."""
    if got.shape != expected.shape:
        return float("inf")
    away = (got.clamp(-1, 1) - expected.clamp(-1, 1)).abs().flatten() / 2
    return away.kthvalue(int(-(-0.999 * away.numel() // 1))).values.item()


def cpu_name():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown")


def report(rows, program_version, args):
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("diffusers", "transformers", "peft", "compel", "torch"))
    worst = {}
    for row in rows:
        if row.measured is not None:
            worst[row.what] = max(worst.get(row.what, 0.0), row.measured)
    lines = [
        "# Proof: negativa against diffusers", "",
        "Made by `make prove` (tools/prove.py), which says what is measured and how the limits are set.", "",
        f"- negativa {program_version}", f"- {libraries}", f"- CPU: {cpu_name()}; fp32, training in fp64 too; the libraries on one thread",
        f"- {sum(row.ok for row in rows)} of {len(rows)} rows are within their limits",
        "- largest: " + ", ".join(f"{what} {value:.1e}" for what, value in worst.items()),
    ]
    lines += [f"- the program bound by --isa {args.isa}"] if args.isa else []
    lines += [f"- only the cases with \"{args.only}\" in their name"] if args.only else []
    lines += ["", "| case | compared | measured | limit | ok |", "|---|---|---|---|---|"]
    for row in rows:
        measured = row.note if row.measured is None else f"{row.measured:.1e}" + (f" ({row.note})" if row.note else "")
        limit = "" if row.limit is None else f"{row.limit:.1e}"
        case, measured = (text.replace("|", "\\|") for text in (row.case, measured))
        lines.append(f"| {case} | {row.what} | {measured} | {limit} | {'yes' if row.ok else '**no**'} |")
    return "\n".join(lines) + "\n"
