"""The live proof: the built program against diffusers on a small SDXL on the CPU: pictures in fp32 from the same CPU generator, then training.

    prove.py [--program PATH] [--model MODEL] [--out docs/proof.md] [--only TEXT] [--isa baseline|avx2|avx512]

Limits: prompt_embeds and pooled within 1e-4 relative (L2), one UNet step within 1e-4, latents within 1e-3, the decoded picture at
most 1/255 away on 99.9 % of its values. Where diffusers itself, run with one and with two threads, differs by more than 1e-4, the
limit is ten times that difference. LoRA files: prove_lora_files.py, prove_lora_origins.py. Adapters of other kinds: prove_adapters.py. Judges: prove_judge.py. Experiments: prove_ranks.py; their page in Chromium: prove_page.py. The studio's API: prove_studio.py, its page: studio_test.py, rating by eye: prove_rate.py, the webui's: prove_sdapi.py. Checkpoints: prove_checkpoints.py. Models between folder and file: prove_convert.py. VAEs: prove_vaes.py; a large picture in tiles: prove_vae.py. Training: prove_train.py. With --isa the program is bound to it, and torch; pages in a
browser, the studio's APIs and the large picture are left out, and the table is build/proof-ISA.md. Exits 1 when a row is over its limit.
"""
import argparse
import itertools
import os
import sys
import tempfile
import warnings

import torch

import prove_adapters
import prove_cases
import prove_checkpoints
import prove_convert
import prove_judge
import prove_lora_files
import prove_lora_origins
import prove_page
import prove_pickles
import prove_program
import prove_ranks
import prove_rate
import prove_sdapi
import prove_studio
import prove_train
import prove_vae
import prove_vaes
import studio_test
from prove_table import PICTURE_LIMIT, Row, picture_distance, relative, report
from reference_pipeline import Reference

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EMBEDS = [side + name for side in ("", "negative_", "unconditional_") for name in ("prompt_embeds", "pooled_prompt_embeds")]
EMBEDS_LIMIT = STEP_LIMIT = 1e-4
LATENTS_LIMIT = 1e-3
OWN_DIFFERENCE = 1e-4


def noise_pred(case, tensors, sigma):
    """A single Euler step down to sigma 0 gives latents = initial - sigma · noise_pred."""
    return (tensors["initial_latents"] - tensors["latents"]) / sigma


def comparisons(case, sigma):
    """(what, function of two sets of tensors, limit): what is compared for this case."""
    def of(name):
        return lambda got, expected: relative(got[name], expected[name])
    yield "embeddings", lambda got, expected: max(relative(got[name], expected[name]) for name in EMBEDS if name in expected), EMBEDS_LIMIT
    yield "initial latents", of("initial_latents"), 1e-6
    if case.steps == 1:
        yield "one UNet step", lambda got, expected: relative(*(noise_pred(case, t, sigma) for t in (got, expected))), STEP_LIMIT
        return
    if case.refiner_start is not None:
        yield "base latents", of("base_latents"), LATENTS_LIMIT
    yield "latents", of("latents"), LATENTS_LIMIT
    yield "picture", lambda got, expected: picture_distance(got["image"], expected["image"]), PICTURE_LIMIT


def rows_of(case, reference, run_program):
    expected = reference.run(case)
    sigma = reference.base.scheduler.sigmas[0].item()
    try:
        got = run_program(case)
        rows = [Row(case.name, what, measure(got, expected), limit) for what, measure, limit in comparisons(case, sigma)]
    except prove_program.ProgramFailed as error:
        return [Row(case.name, "the program failed", note=str(error))]
    except KeyError as error:
        return [Row(case.name, "--save-tensors", note=f"lacks {error}")]
    if not all(row.ok for row in rows):
        widen(rows, case, reference, expected, sigma)
    return rows


def widen(rows, case, reference, expected, sigma):
    """Where diffusers does not reproduce itself, it is no better ruler than that."""
    again = reference.run(case, thread_count=2)
    for row, (_, measure, _) in zip(rows, comparisons(case, sigma)):
        own = measure(again, expected)
        if own > OWN_DIFFERENCE:
            row.limit = max(row.limit, 10 * own)
            row.note = f"diffusers with two threads: {own:.1e} from itself"


def lora_file_rows(args, reference, folder):
    try:
        for case, what, measured, limit, note in itertools.chain(
                (row + ("",) for row in prove_lora_files.rows(args.program, args.model, reference, folder)),
                prove_lora_origins.rows(args.program, args.model, reference, folder)):
            row = Row(f"LoRA file, {case}", what, float(measured), limit, note)
            if args.only in row.case:
                yield row
    except prove_program.ProgramFailed as error:
        yield Row("LoRA file", "the program failed", note=str(error))


def adapter_rows(args, reference, folder):
    rows = []
    try:
        for case, what, measured, limit, note in prove_adapters.rows(args.program, args.model, reference, folder, args.only):
            rows.append(Row(case, what, float(measured), limit, note))
    except prove_program.ProgramFailed as error:
        rows.append(Row("adapters", "the program failed", note=str(error)))
    return rows


def pickle_rows(args, reference, folder):
    rows = []
    try:
        for case, what, measured, limit, note in prove_pickles.rows(args.program, args.model, reference, folder):
            rows.append(Row(case, what, float(measured), limit, note))
    except prove_program.ProgramFailed as error:
        rows.append(Row("pickle", "the program failed", note=str(error)))
    return rows


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "negativa"))
    parser.add_argument("--model", default=os.path.join(ROOT, "models", "emoji-xl"))
    parser.add_argument("--out", help="default: docs/proof.md; with --isa build/proof-ISA.md")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases with TEXT in their name")
    parser.add_argument("--isa", choices=["baseline", "avx2", "avx512"], help="the program takes these instructions (default: all it has)")
    args = parser.parse_args()
    args.out = args.out or os.path.join(ROOT, *(["build", f"proof-{args.isa}.md"] if args.isa else ["docs", "proof.md"]))
    return args


def cases_of(args, folder):
    """(name, function that returns its rows): pictures, LoRA files, training."""
    def runs(cases, run):
        return [(case.name, lambda case=case: run(case)) for case in cases if args.only in case.name]
    reference = Reference(args.model)
    program = lambda case: prove_program.run(args.program, args.model, case, folder)
    pictures = runs(prove_cases.all_cases(reference, folder), lambda case: rows_of(case, reference, program))
    wants_files = "LoRA file".startswith(args.only) or args.only.startswith("LoRA file")
    files = [("LoRA files", lambda: list(lora_file_rows(args, reference, folder)))] if wants_files else []
    wants_adapters = "adapter".startswith(args.only) or args.only.startswith("adapter")
    adapters = [("adapters", lambda: adapter_rows(args, reference, folder))] if wants_adapters else []
    wants_pickles = "pickle".startswith(args.only) or args.only.startswith("pickle")
    pickles = [("pickles", lambda: pickle_rows(args, reference, folder))] if wants_pickles else []
    judged = [("judge", lambda: [Row(case, what, float(measured), limit) for case, what, measured, limit in prove_judge.rows(args.program, args.model, folder)])]
    judged = judged if "judge".startswith(args.only) or args.only.startswith("judge") else []
    ranks = [("experiment", lambda: [Row(*row) for row in prove_ranks.rows(args.program, folder)])]
    ranks = ranks if "experiment".startswith(args.only) or args.only.startswith("experiment") else []
    page = [("page", lambda: [Row(*row) for row in prove_page.rows(args.program, folder)])]
    page = page if not args.isa and ("page".startswith(args.only) or args.only.startswith("page")) else []
    part = lambda name, rows: [(name, lambda: [Row(*row) for row in rows()])] if name.startswith(args.only) or args.only.startswith(name) else []
    whole = []
    if not args.isa:
        whole += part("studio", lambda: itertools.chain(prove_studio.rows(args.program, folder), studio_test.rows(args.program, folder)))
        whole += part("webuiapi", lambda: prove_sdapi.rows(args.program, folder))
        whole += part("rating", lambda: prove_rate.rows(args.program, folder))
    whole += part("checkpoint", lambda: prove_checkpoints.rows(args.program, args.model, folder))
    whole += part("model convert", lambda: prove_convert.rows(args.program, args.model, reference, folder))
    whole += part("VAE, ", lambda: prove_vaes.rows(args.program, args.model, reference, folder))
    whole += [] if args.isa else part("VAE in tiles", lambda: prove_vae.rows(args.program, folder))
    model = prove_train.TrainingModel(args.model)
    return pictures + files + adapters + pickles + judged + ranks + page + whole + runs(prove_train.all_cases(), lambda case: prove_train.rows_of(case, model, args.program, args.model, folder))


def bind_libraries(isa):
    """Starts anew with torch bound as the program is: without AVX2 it draws normal numbers another way, which differ in their last bit."""
    cap = {None: None, "baseline": "default"}.get(isa, isa)
    if cap and os.environ.get("ATEN_CPU_CAPABILITY") != cap:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "ATEN_CPU_CAPABILITY": cap})


def main():
    args = options()
    bind_libraries(args.isa)
    if not os.path.exists(args.program):
        sys.exit(f"prove: no program at {args.program}; build it first (make build) or give --program")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    program_version = prove_program.version(args.program)["version"]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if args.isa:
            args.program = prove_program.bound(os.path.abspath(args.program), args.isa, folder)
        cases = cases_of(args, folder)
        for i, (name, run) in enumerate(cases, 1):
            new = run()
            rows += new
            print(f"{i}/{len(cases)} {name}: {', '.join(row.verdict() for row in new)}", file=sys.stderr, flush=True)
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    with open(args.out, "w") as f:
        f.write(report(rows, program_version, args))
    over = [row for row in rows if not row.ok]
    print(f"{len(rows) - len(over)} of {len(rows)} rows within their limits; the table is {args.out}")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
