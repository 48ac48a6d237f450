"""The part of prove.py about LoRA files: what `negativa lora` writes, as diffusers and peft read it.

A file of each dialect is to load with every key matched and no warning, to hold the deltas it was made of, and to draw the picture it
draws in diffusers. Merges are compared with peft's add_weighted_adapter, a baked model with the LoRA attached.
"""
import contextlib
import copy
import dataclasses
import logging
import os
import subprocess
import warnings

import torch
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

import prove_loras
import prove_program
from goldens_lora import sgm_name
from reference_pipeline import Case, Lora

COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
RANK = 4  # of prove_loras.diffusers_lora
ROUNDING = 1e-6
LATENTS_LIMIT = 1e-3
TARGETS = prove_loras.ATTENTION + ["ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
TEXT_TARGETS = prove_loras.TEXT_ATTENTION + ["fc1", "fc2"]
CASE = Case("", "robot on a red background", "wrong", steps=20, seed=600)


def rows(program, model, reference, folder):
    """(case, what is compared, measured, limit) of every check."""
    proof = Proof(program, model, reference, folder)
    for checks in (proof.in_diffusers("diffusers", mixed=True), proof.in_diffusers("kohya", mixed=False), proof.peft_file(),
                   proof.peft_folder(), proof.round_trips(), proof.merges(), proof.bakes()):
        for case, what, measured, limit in checks:
            yield case, what, measured, limit


class Proof:
    def __init__(self, program, model, reference, folder):
        self.program, self.model, self.reference, self.folder = program, model, reference, folder
        self.modules = {mixed: random_modules(reference, mixed) for mixed in (False, True)}
        self.source = {mixed: self.path(f"source_{mixed}.safetensors") for mixed in (False, True)}
        for mixed, path in self.source.items():
            write_kohya(self.modules[mixed], path, reference)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words):
        done = subprocess.run([self.program, "lora", *words, "-q"], capture_output=True, text=True)
        if done.returncode != 0:
            raise prove_program.ProgramFailed(done.stderr.strip())

    def convert(self, source, name, dialect):
        self.run("convert", source, "-m", self.model, "-o", self.path(name), "--format", dialect)
        return self.path(name)

    def in_diffusers(self, dialect, mixed):
        """diffusers takes one alpha for all attention layers of a kohya file, so mixed ones are only asked of its own dialect."""
        case_name = f"{dialect} in diffusers"
        file = self.convert(self.source[mixed], f"{dialect}.safetensors", dialect)
        pipe = self.reference.base
        with heard() as complaints:
            pipe.load_lora_weights(self.folder, weight_name=os.path.basename(file), adapter_name="lora")
        yield case_name, "complaints", len(complaints), 0
        yield case_name, "layers lost or added", layers_apart(pipe, self.modules[mixed]), 0
        yield case_name, "deltas", deltas_apart(pipe, self.modules[mixed]), ROUNDING
        pipe.unload_lora_weights()
        case = dataclasses.replace(CASE, loras=(Lora(file),))
        yield case_name, "latents", self.latents_apart(case), LATENTS_LIMIT

    def latents_apart(self, case, model=None):
        expected = self.reference.run(case)["latents"]
        got = prove_program.run(self.program, model or self.model, case, self.folder)["latents"]
        return ((got - expected).norm() / expected.norm()).item()

    def peft_file(self):
        """peft reads the file into an adapter whose config says alpha = rank: the scale is in the matrices."""
        tensors = load_file(self.convert(self.source[True], "peft.safetensors", "peft"))
        modules = {key: self.modules[True][key] for key in self.modules[True] if key[0] == "unet"}
        ranks = {name: down.shape[0] for (_, name), (down, _, _) in modules.items()}
        config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(ranks), rank_pattern=ranks, alpha_pattern=ranks)
        model = get_peft_model(self.reference.base.unet, config)
        result = set_peft_model_state_dict(model, {key: t for key, t in tensors.items() if key.startswith("base_model.model.")})
        yield "peft file", "layers lost or added", len([k for k in result.missing_keys if "lora_" in k]) + len(result.unexpected_keys), 0
        yield "peft file", "deltas", deltas_apart(Parts(unet=model), modules), ROUNDING
        model.unload()

    def peft_folder(self):
        folder = self.convert(self.source[True], "peft", "peft")
        parts = {}
        with heard() as complaints:
            for component in COMPONENTS:
                parts[component] = PeftModel.from_pretrained(getattr(self.reference.base, component), os.path.join(folder, component))
        yield "folder in peft", "complaints", len(complaints), 0
        yield "folder in peft", "layers lost or added", layers_apart(Parts(**parts), self.modules[True]), 0
        yield "folder in peft", "deltas", deltas_apart(Parts(**parts), self.modules[True]), ROUNDING
        for part in parts.values():
            part.unload()

    def round_trips(self):
        for mixed, source in self.source.items():
            kind = "mixed ranks and alphas" if mixed else "one alpha"
            for way in (["diffusers"], ["peft"], ["diffusers", "peft", "kohya", "peft", "diffusers"]):
                file = source
                for i, dialect in enumerate(way):
                    file = self.convert(file, f"trip_{mixed}_{len(way)}_{i}" + ("" if dialect == "peft" else ".safetensors"), dialect)
                back = load_file(self.convert(file, f"trip_{mixed}_{way[0]}_{len(way)}_back.safetensors", "kohya"))
                yield f"kohya → {' → '.join(way)} → kohya, {kind}", "tensors that differ", tensors_apart(back, load_file(source)), 0

    def merges(self):
        """Of two LoRAs on the same layers, one of them negative."""
        files = [prove_loras.diffusers_lora(self.reference, self.path(f"merge_{seed}.safetensors"), seed, targets=TARGETS) for seed in (21, 22)]
        weights = [1.0, -0.7]
        theirs = two_adapters(self.reference.base.unet, files)
        for method, combination, limit in (("concat", "cat", ROUNDING), ("svd", "svd", 1e-4)):  # peft decomposes in fp32
            theirs.add_weighted_adapter(["0", "1"], weights, method, combination_type=combination, **({"svd_rank": RANK} if method == "svd" else {}))
            expected = {("unet", name): layer.get_delta_weight(method).detach() for name, layer in adapted(theirs).items()}
            out = self.path(f"merged_{method}.safetensors")
            self.run("merge", *(f"{file}:{weight}" for file, weight in zip(files, weights)), "-m", self.model, "-o", out, "--method", method,
                     *(["--rank", str(RANK)] if method == "svd" else []))
            got = deltas_of_file(out)
            assert set(got) == set(expected)
            yield f"merge by {method} and by peft's {combination}", "deltas", max(distance(got[key], expected[key]) for key in expected), limit
        out = self.path("nothing.safetensors")
        self.run("merge", files[0], f"{files[0]}:-1", "-m", self.model, "-o", out)
        parts = deltas_of_file(files[0])
        yield "merge of a LoRA and its inverse", "deltas", max(delta.norm().item() / parts[key].norm().item() for key, delta in deltas_of_file(out).items()), ROUNDING

    def bakes(self):
        case = dataclasses.replace(CASE, loras=(Lora(self.convert(self.source[False], "bake.safetensors", "diffusers"), 0.8),))
        attached = self.reference.run(case)["latents"]
        for dtype, limit in (("fp32", 1e-5), ("auto", LATENTS_LIMIT)):  # auto: as the model is stored, in half precision
            case_name, folder = f"bake, {dtype}", self.path("baked_" + dtype)
            self.run("bake", "-m", self.model, "--lora", f"{self.source[False]}:0.8", "-o", folder, "--weights-dtype", dtype)
            with heard() as complaints:
                pipe = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
            yield case_name, "complaints", len(complaints), 0
            with self.as_base(pipe):
                baked = self.reference.run(CASE)["latents"]
                here = self.latents_apart(CASE, folder)
            yield case_name + ", against the LoRA attached", "latents", distance(baked, attached), limit
            yield case_name + ", here and in diffusers", "latents", here, LATENTS_LIMIT

    @contextlib.contextmanager
    def as_base(self, pipe):
        pipe.set_progress_bar_config(disable=True)
        saved, self.reference.base = self.reference.base, pipe
        try:
            yield
        finally:
            self.reference.base = saved


class Parts:
    """Models by their component's name, as a pipeline has them."""

    def __init__(self, **parts):
        self.__dict__.update(parts)


@contextlib.contextmanager
def heard():
    """What the libraries complain of meanwhile."""
    complaints = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: complaints.append(record.getMessage())
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers", "peft")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.WARNING)
        try:
            yield complaints
        finally:
            for logger, level in zip(loggers, levels):
                logger.removeHandler(handler)
                logger.setLevel(level)
            complaints += [str(w.message) for w in caught if not issubclass(w.category, (FutureWarning, DeprecationWarning))]


def flat(name):
    return name.removeprefix("base_model.model.").removeprefix("text_model.")


def targeted(model, suffixes):
    return {flat(name): module for name, module in model.named_modules() if name.endswith(tuple("." + suffix for suffix in suffixes))}


def random_modules(reference, mixed):
    """{(component, module): (down, up, alpha)} on every target; ranks 2 to 4 and as many alphas, or rank 4 and alpha 2 throughout."""
    generator = torch.Generator().manual_seed(11 + mixed)
    modules = {}
    for component in COMPONENTS:
        layers = targeted(getattr(reference.base, component), TARGETS if component == "unet" else TEXT_TARGETS)
        for i, (name, layer) in enumerate(sorted(layers.items())):
            rank, alpha = (2 + i % 3, [1.0, 4.0, 0.5, 2.0][i % 4]) if mixed else (4, 2.0)
            down = torch.randn(rank, layer.in_features, generator=generator) / layer.in_features ** 0.5
            modules[component, name] = (down, torch.randn(layer.out_features, rank, generator=generator) * 0.02, alpha)
    return modules


def write_kohya(modules, path, reference):
    tensors = {}
    for (component, name), (down, up, alpha) in modules.items():
        full = sgm_name(name, reference.base.unet.config.layers_per_block) if component == "unet" else "text_model." + name
        stem = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}[component] + full.replace(".", "_")
        tensors |= {stem + ".lora_down.weight": down, stem + ".lora_up.weight": up, stem + ".alpha": torch.tensor(alpha)}
    save_file(tensors, path)


def adapted(model):
    return {flat(name): module for name, module in model.named_modules()
            if getattr(module, "lora_A", None)}


def layers_apart(pipe, modules):
    wanted = set(modules)
    got = {(component, name) for component in COMPONENTS for name in adapted(getattr(pipe, component))}
    return len(wanted ^ got)


def deltas_apart(pipe, modules):
    worst = 0.0
    for (component, name), (down, up, alpha) in modules.items():
        layer = adapted(getattr(pipe, component)).get(name)
        if layer is None:
            return float("inf")
        wanted = up.double() @ down.double() * (alpha / down.shape[0])
        worst = max(worst, distance(layer.get_delta_weight(next(iter(layer.lora_A))).detach(), wanted))
    return worst


def distance(got, wanted):
    return ((got.double() - wanted.double()).norm() / wanted.double().norm()).item()


def tensors_apart(got, wanted):
    same = [key for key in got if key in wanted and got[key].dtype == wanted[key].dtype and torch.equal(got[key], wanted[key])]
    return len(set(got) | set(wanted)) - len(same)


def deltas_of_file(path):
    """{(component, module): delta} of a file in diffusers' keys whose alphas are its ranks."""
    tensors, deltas = load_file(path), {}
    for key, down in tensors.items():
        for infix in (".lora.", ".lora_linear_layer.", ".lora_A"):
            side = infix + ("down.weight" if infix != ".lora_A" else ".weight")
            if key.endswith(side):
                component, name = key.removesuffix(side).split(".", 1)
                up = tensors[key.replace("lora_A", "lora_B") if infix == ".lora_A" else key.replace(".down.weight", ".up.weight")]
                deltas[component, flat(name)] = up.double() @ down.double()
    return deltas


def two_adapters(unet, files):
    """A PeftModel with the files of prove_loras.diffusers_lora as its adapters "0" and "1"."""
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS)
    model = get_peft_model(copy.deepcopy(unet), config, adapter_name="0")
    model.add_adapter("1", config)
    for name, file in zip("01", files):
        state = {"base_model.model." + key.removeprefix("unet."): tensor for key, tensor in load_file(file).items()}
        assert not set_peft_model_state_dict(model, state, adapter_name=name).unexpected_keys
    return model
