"""Two builds of the program on one machine: every command of the proof is run with both, and what they make is compared bit by bit.

    compare_programs.py OLD NEW [--only TEXT]      (with build/reference/bin/python)

Pictures: all tensors of --save-tensors, the picture among them. Trainings: the trained file and all of --save-trace. Prints what differs; exits 1 then.
"""
import argparse
import os
import sys
import tempfile

import torch

import prove_cases
import prove_program
import prove_train
from reference_pipeline import Reference

MODEL = os.path.join(prove_train.ROOT, "models", "emoji-xl")


def picture(program, case, folder):
    return prove_program.run(program, MODEL, case, folder)


def training(program, case, folder):
    tensors, settings = prove_train.trace_of(program, MODEL, case, folder)
    if tensors is None:
        raise prove_program.ProgramFailed(settings)
    return tensors


def made(run, program, case, folder):
    try:
        return run(program, case, folder)
    except prove_program.ProgramFailed as error:
        return str(error)


def difference(old, new):
    """What is not the same; empty: nothing."""
    if isinstance(old, str) or isinstance(new, str):
        return "" if old == new else f"{old if isinstance(old, str) else 'made'} / {new if isinstance(new, str) else 'made'}"
    if old.keys() != new.keys():
        return "other tensors: " + ", ".join(sorted(old.keys() ^ new.keys())[:5])
    return ", ".join(key for key in old if not torch.equal(old[key], new[key]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases with TEXT in their name")
    args = parser.parse_args()
    torch.set_num_threads(1)
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        cases = [(picture, case) for case in prove_cases.all_cases(Reference(MODEL), folder)] + [(training, case) for case in prove_train.all_cases()]
        cases = [(run, case) for run, case in cases if args.only in case.name]
        for run, case in cases:
            found = difference(*(made(run, program, case, folder) for program in (args.old, args.new)))
            differing += bool(found)
            if found:
                print(f"{case.name}: {found}", flush=True)
    print(f"{len(cases) - differing} of {len(cases)} commands make the same bits")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
