"""The part of prove.py about `model convert`: a folder made one file opens in diffusers' from_single_file and draws the same, and a file
made a folder in from_pretrained; both in fp32 and fp8."""
import contextlib
import os
import subprocess

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file

import prove_program
from prove_table import PICTURE_LIMIT, picture_distance, relative
from reference_pipeline import Case

LATENTS_LIMIT = 1e-3
CASE = Case("", "robot on a red background", "blurry", steps=12, seed=740)
REFINED = Case("", "robot on a red background", "blurry", steps=12, seed=740, refiner_start=0.5)


def rows(program, model, reference, folder):
    """(case, what is compared, measured, limit) of every check."""
    folder = os.path.join(folder, "convert")
    os.makedirs(folder, exist_ok=True)
    for name in ("tokenizer", "tokenizer_2"):
        os.symlink(os.path.abspath(os.path.join(model, name)), os.path.join(folder, name))
    expected = reference.run(CASE)
    for dtype in ("fp32", "fp8"):
        file, back, again = (os.path.join(folder, dtype + end) for end in (".safetensors", "", "_again.safetensors"))
        convert(program, model, file, "--dtype", dtype)
        convert(program, file, back)
        convert(program, back, again)
        yield f"model convert, {dtype}, folder to file to folder to file", "differing bytes", differing(file, again), 0
        with opened(reference, base=single_file(StableDiffusionXLPipeline, file, model)):
            by_diffusers = reference.run(CASE)
        if dtype == "fp32":
            yield "model convert, fp32, from_single_file against from_pretrained", "latents", relative(by_diffusers["latents"], expected["latents"]), 1e-5
        with opened(reference, base=StableDiffusionXLPipeline.from_pretrained(back, torch_dtype=torch.float32)):
            of_folder = reference.run(CASE)
        yield f"model convert, {dtype}, the folder again in diffusers", "latents", relative(of_folder["latents"], by_diffusers["latents"]), 1e-5
        for what, given in (("file", file), ("folder", back)):
            got = prove_program.run(program, given, CASE, folder)
            yield f"model convert, {dtype}, drawn from the {what}", "latents", relative(got["latents"], by_diffusers["latents"]), LATENTS_LIMIT
            yield f"model convert, {dtype}, drawn from the {what}", "picture", picture_distance(got["image"], by_diffusers["image"]), PICTURE_LIMIT
    yield from refiner_rows(program, model, reference, folder)


def refiner_rows(program, model, reference, folder):
    refiner = os.path.join(model, "refiner")
    file, back, again = (os.path.join(folder, "refiner" + end) for end in (".safetensors", "", "_again.safetensors"))
    convert(program, refiner, file, "--dtype", "fp32")
    convert(program, file, back)
    convert(program, back, again)
    yield "model convert, refiner, folder to file to folder to file", "differing bytes", differing(file, again), 0
    expected = reference.run(REFINED)
    with opened(reference, refiner=single_file(StableDiffusionXLImg2ImgPipeline, file, refiner)):
        got = reference.run(REFINED)
    yield "model convert, refiner, from_single_file against from_pretrained", "latents", relative(got["latents"], expected["latents"]), 1e-5


def convert(program, source, out, *options):
    done = subprocess.run([program, "model", "convert", source, "-o", out, "-q", *options], capture_output=True, text=True)
    if done.returncode != 0:
        raise prove_program.ProgramFailed(done.stderr.strip())


def differing(a, b):
    with open(a, "rb") as one, open(b, "rb") as other:
        x, y = one.read(), other.read()
    return abs(len(x) - len(y)) + sum(p != q for p, q in zip(x, y)) if x != y else 0


def single_file(pipeline, file, config):
    """The configs come from the folder, as for every model that is not of SDXL's own sizes; the weights from the file alone."""
    if not load_file(file):
        raise ValueError("no weights")
    return pipeline.from_single_file(file, config=config, torch_dtype=torch.float32, local_files_only=True)


@contextlib.contextmanager
def opened(reference, **pipes):
    before = {name: getattr(reference, name) for name in pipes}
    for name, pipe in pipes.items():
        pipe.set_progress_bar_config(disable=True)
        setattr(reference, name, pipe)
    try:
        yield
    finally:
        for name, pipe in before.items():
            setattr(reference, name, pipe)
