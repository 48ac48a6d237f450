"""The part of prove.py about LoRA files by where they come from: `train lora`, `lora convert` and `lora merge`, each in every dialect, of the
UNet alone and of the text encoders too, with alphas that are not the ranks.

diffusers reads its own dialect, kohya's, and peft's single file when told its prefixes; peft reads a folder. There every key is to find its
layer, the deltas are to be those of the numbers in the training run's trace, and the picture is to be the one drawn here with the file.
"""
import contextlib
import dataclasses
import os
import subprocess

import torch
from diffusers import StableDiffusionXLPipeline
from peft import PeftModel
from safetensors.torch import load_file

import prove_program
import prove_train
from prove_lora_files import CASE, COMPONENTS, LATENTS_LIMIT, ROUNDING, adapted, distance, flat, heard
from prove_table import PICTURE_LIMIT, picture_distance, relative
from reference_pipeline import Lora

DIALECTS = {"diffusers": ("diffusers", ".safetensors"), "kohya": ("kohya", ".safetensors"), "peft file": ("peft", ".safetensors"), "peft folder": ("peft", "")}
KINDS = {"UNet": [], "UNet and text encoders": ["--text-encoders", "--text-encoder-learning-rate", "1e-2"]}
TRAINING = ["--data", prove_train.PICTURES, "--captions", "--steps", "12", "--batch-size", "2", "--learning-rate", "1e-2", "--dtype", "fp32", "--device", "cpu"]
ONE, OTHER = dict(rank=3, alpha=2, seed=1), dict(rank=2, alpha=5, seed=2)
WEIGHTS = (0.8, -0.5)
SVD_RANK = 3


def rows(program, model, reference, folder):
    """(case, what is compared, measured, limit, note) of every check."""
    proof = Origins(program, model, reference, folder)
    for kind, options in KINDS.items():
        trained = {name: proof.train(f"{kind} {name}", name, options, **ONE) for name in DIALECTS}
        for name, (file, deltas) in trained.items():
            yield from proof.checks(f"{kind}, trained as {name}", name, file, deltas)
        source, deltas = trained["kohya"]
        for name in DIALECTS:
            yield from proof.checks(f"{kind}, converted to {name}", name, proof.lora(f"{kind} converted", name, "convert", source), deltas)
        other, more = proof.train(f"{kind} other", "diffusers", options, **OTHER)
        total = {key: WEIGHTS[0] * delta + WEIGHTS[1] * more[key] for key, delta in deltas.items()}
        pair = [f"{file}:{weight}" for file, weight in zip((source, other), WEIGHTS)]
        for name in DIALECTS:
            merged = proof.lora(f"{kind} concat", name, "merge", *pair)
            yield from proof.checks(f"{kind}, merged by concat as {name}", name, merged, total)
            merged = proof.lora(f"{kind} svd", name, "merge", *pair, "--method", "svd", "--rank", str(SVD_RANK))
            yield from proof.checks(f"{kind}, merged by svd as {name}", name, merged, {key: truncated(delta) for key, delta in total.items()})


class Origins:
    def __init__(self, program, model, reference, folder):
        self.program, self.model, self.reference, self.folder = program, model, reference, folder
        self.plain = reference.run(CASE)["latents"]

    def path(self, stem, name):
        return os.path.join(self.folder, f"{stem} as {name}".replace(" ", "_") + DIALECTS[name][1])

    def run(self, *words):
        done = subprocess.run([self.program, *words, "-q"], capture_output=True, text=True, env=os.environ | {"XDG_CACHE_HOME": os.path.join(self.folder, "cache")})
        if done.returncode != 0:
            raise prove_program.ProgramFailed(done.stderr.strip())

    def train(self, stem, name, options, rank, alpha, seed):
        """(file, {(component, module): delta}), the deltas from the trace."""
        out, trace = self.path(stem, name), os.path.join(self.folder, "trace.safetensors")
        self.run("train", "lora", "-m", self.model, *TRAINING, *options, "--rank", str(rank), "--alpha", str(alpha), "--seed", str(seed), "-o", out,
                 "--format", DIALECTS[name][0], "--save-trace", trace)
        products = prove_train.products(prove_train.below(load_file(trace), "final."))
        return out, {layer_of(key): delta * (alpha / rank) for key, delta in products.items()}

    def lora(self, stem, name, *words):
        out = self.path(stem, name)
        self.run("lora", words[0], *words[1:], "-m", self.model, "-o", out, "--format", DIALECTS[name][0])
        return out

    def checks(self, case_name, name, file, deltas):
        with self.loaded(name, file) as complaints:
            pipe = self.reference.base
            got = {(component, module): layer.get_delta_weight(next(iter(layer.lora_A))).detach()
                   for component in COMPONENTS for module, layer in adapted(getattr(pipe, component)).items()}
            expected = self.reference.run(CASE)
        here = prove_program.run(self.program, self.model, dataclasses.replace(CASE, loras=(Lora(file),)), self.folder)
        complaints = [text for text in complaints if not expected_of(deltas, text)]
        yield case_name, "complaints", len(complaints), 0, "; ".join(complaints)[:200]
        yield case_name, "layers lost or added", len(got.keys() ^ deltas.keys()), 0, ""
        yield case_name, "deltas", max((distance(got[key], deltas[key]) for key in got.keys() & deltas.keys()), default=float("inf")), ROUNDING, ""
        yield case_name, "latents", relative(here["latents"], expected["latents"]), LATENTS_LIMIT, f"the LoRA moves them by {relative(expected['latents'], self.plain):.2f}"
        yield case_name, "picture", picture_distance(here["image"], expected["image"]), PICTURE_LIMIT, ""

    @contextlib.contextmanager
    def loaded(self, name, file):
        """The reference's pipeline with the file's adapters in it; yields what the libraries complained of."""
        pipe, parts = self.reference.base, []
        with heard() as complaints:
            if name == "peft folder":
                parts = [PeftModel.from_pretrained(getattr(pipe, part), folder) for part, folder in folders_of(file).items()]
            elif name == "peft file":
                load_peft_file(pipe, load_file(file))
            else:
                pipe.load_lora_weights(self.folder, weight_name=os.path.basename(file), adapter_name="lora")
        try:
            yield complaints
        finally:
            for part in parts:
                part.unload()
            if not parts:
                pipe.unload_lora_weights()


def load_peft_file(pipe, tensors):
    """The UNet's keys begin as peft's own; the encoders' have their component's name before that."""
    pipe.unet.load_lora_adapter(dict(tensors), prefix="base_model.model", adapter_name="lora")
    for component in COMPONENTS[1:]:
        prefix = component + ".base_model.model"
        if any(key.startswith(prefix) for key in tensors):
            StableDiffusionXLPipeline.load_lora_into_text_encoder(dict(tensors), None, getattr(pipe, component), prefix=prefix, adapter_name="lora")


def expected_of(deltas, complaint):
    """diffusers notes which encoder a file has nothing for; of a LoRA of the UNet alone that is so."""
    return not any(component != "unet" for component, _ in deltas) and complaint.startswith("No LoRA keys associated to CLIPTextModel")


def folders_of(path):
    """{component: folder} of what `--format peft` wrote: one folder a component, or the folder itself for one alone."""
    several = {component: os.path.join(path, component) for component in COMPONENTS if os.path.isdir(os.path.join(path, component))}
    return several or {"unet": path}


def layer_of(key):
    component, name = key.removesuffix(".lora_A.weight").split(".", 1)
    return component, flat(name)


def truncated(delta):
    u, s, vh = torch.linalg.svd(delta, full_matrices=False)
    return u[:, :SVD_RANK] * s[:SVD_RANK] @ vh[:SVD_RANK]
