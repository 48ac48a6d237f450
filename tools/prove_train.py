"""The training cases of prove.py: ten steps of `negativa train lora`, replayed by diffusers and peft from the run's trace.

In float64 on both sides losses, the first step's gradients and all factors after the last step agree to 1e-7. In float32 losses agree to
1e-5, gradients to 1e-4 and the product up·down of each layer to 2e-3: AdamW's first steps are as long for a gradient of rounding errors as
for any other, so single factors say less.
"""
import dataclasses
import json
import os
import shutil
import subprocess

import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import convert_state_dict_to_diffusers
from peft import get_peft_model_state_dict
from safetensors import safe_open

from prove_table import Row, relative
from reference_training import Settings, Training, TrainingModel

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PICTURES = os.path.join(ROOT, "models", "sonk-hedgehog", "train")
CLASS_PICTURES = [os.path.join(ROOT, "models", "emoji-xl", "reference", f"{i:03}.png") for i in range(6)]
STEPS = 10
FACTORS_LIMIT = {"fp64": 1e-7, "fp32": 2e-3}
GRADIENT_LIMIT = {"fp64": 1e-7, "fp32": 1e-4}
LOSS_LIMIT = {"fp64": 1e-7, "fp32": 1e-5}
MAGNITUDE_LIMIT = {"fp64": 1e-6, "fp32": 1e-6}  # peft takes the norms in float32
DTYPES = {"fp64": torch.float64, "fp32": torch.float32}

PRIOR = {"class_data": None, "class_prompt": "a picture"}  # None: the folder is made for the run
CONVOLUTIONS = "attention+ff+conv"
# A LoRA that is trained on, as another trainer makes it: layers that --targets has no name for, ranks and alphas that differ.
GIVEN_LAYERS = {"unet": ["to_q", "attn2.to_v", "proj_in", "ff.net.2", "conv1", "downsamplers.0.conv", "conv_shortcut", "time_emb_proj"]}
GIVEN_PATTERNS = {"rank_pattern": {"to_q": 2, "conv1": 3, "ff.net.2": 5}, "alpha_pattern": {"conv1": 1.5, "proj_in": 2.0}}
CASES = {
    "plain": {},
    "one prompt for all": {"captions": False, "prompt": "wrong"},
    "batch 2, learning rate 1e-3": {"batch_size": 2, "learning_rate": 1e-3},
    "prior preservation": PRIOR,
    "prior preservation, weight 0.3, batch 2": {**PRIOR, "prior_weight": 0.3, "batch_size": 2},
    "min-SNR": {"snr_gamma": 5, "batch_size": 2},
    "min-SNR and prior preservation": {"snr_gamma": 5, **PRIOR, "batch_size": 2},
    "text encoders": {"text_encoders": True},
    "text encoders at 1e-3, prior preservation": {"text_encoders": True, "text_encoder_learning_rate": 1e-3, "learning_rate": 1e-3, **PRIOR},
    "feed-forward": {"targets": "attention+ff"},
    "alpha 2, rank 8": {"rank": 8, "alpha": 2, "learning_rate": 1e-3},
    "alpha 1, rank 3": {"rank": 3, "alpha": 1, "learning_rate": 1e-3},
    "accumulation 2": {"gradient_accumulation": 2},
    "accumulation 2, prior preservation, min-SNR": {"gradient_accumulation": 2, "snr_gamma": 5, **PRIOR},
    "warm-up": {"lr_warmup": 4, "learning_rate": 1e-3},
    "cosine with warm-up": {"lr_scheduler": "cosine", "lr_warmup": 3, "learning_rate": 1e-3},
    "noise offset, mirrored": {"noise_offset": 0.1, "flip": True},
    "gradient clipped to 0.001, weight decay 0.1": {"max_grad_norm": 0.001, "weight_decay": 0.1, "learning_rate": 1e-3},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "convolutions": {"targets": CONVOLUTIONS},
    "convolutions of rank 3 and alpha 2": {"targets": CONVOLUTIONS, "conv_rank": 3, "conv_alpha": 2, "learning_rate": 1e-3},
    "convolutions, gradient checkpointing, accumulation 2": {"targets": CONVOLUTIONS, "gradient_checkpointing": True, "gradient_accumulation": 2},
    "DoRA": {"dora": True, "learning_rate": 1e-3},
    "DoRA, feed-forward, text encoders, gradient checkpointing": {"dora": True, "targets": "attention+ff", "alpha": 1, "text_encoders": True, "gradient_checkpointing": True, "learning_rate": 1e-3},
    "DoRA of convolutions": {"dora": True, "targets": CONVOLUTIONS, "conv_rank": 2, "batch_size": 2, "learning_rate": 1e-3},
    "network weights": {"network_weights": "diffusers", "learning_rate": 1e-3},
    "network weights, kohya's DoRA": {"network_weights": "kohya", "dora": True, "learning_rate": 1e-3},
    "all at once": {"text_encoders": True, "targets": "attention+ff", "rank": 2, "alpha": 3, "gradient_accumulation": 2, "snr_gamma": 5, **PRIOR,
                    "prior_weight": 0.7, "noise_offset": 0.05, "lr_scheduler": "cosine", "lr_warmup": 2, "learning_rate": 1e-3,
                    "text_encoder_learning_rate": 1e-4},
}


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    options: dict
    dtype: str


def all_cases():
    return [Case(f"training, {name}, {dtype}", options, dtype) for name, options in CASES.items() for dtype in DTYPES]


def class_folder(folder):
    path = os.path.join(folder, "class")
    os.makedirs(path, exist_ok=True)
    for picture in CLASS_PICTURES:
        shutil.copy(picture, path)
    return path


def arguments(case, folder):
    given = {"captions": True, "seed": 7, "steps": STEPS, "data": PICTURES, "dtype": case.dtype, "device": "cpu"} | case.options
    if "class_prompt" in given:
        given |= {"class_data": class_folder(folder), "class_count": len(CLASS_PICTURES)}
    flags = []
    for name, value in given.items():
        if value is not False:
            flags += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
    return flags


def given_training(reference, case, dtype, settings):
    """Of --network-weights: what the file says of layers and ranks."""
    return Training(reference, dataclasses.replace(settings, dora=case.options.get("dora", False)), dtype, GIVEN_LAYERS, GIVEN_PATTERNS)


def write_given(program, model, reference, case, folder):
    """(the file that is trained on, its factors); written by diffusers, to kohya's names by the program."""
    training = given_training(reference, case, torch.float32, Settings())
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for key, factor in training.factors().items():
            if "lora_B" in key:
                factor.copy_(0.02 * torch.randn(factor.shape, generator=generator))
            elif "magnitude" in key:
                factor.mul_(1 + 0.1 * torch.randn(factor.shape, generator=generator))
    unet = training.parts["unet"]
    given = os.path.join(folder, "given")
    StableDiffusionXLPipeline.save_lora_weights(given, unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(unet)), **_collate_lora_metadata({"unet": unet}))
    path = os.path.join(given, "pytorch_lora_weights.safetensors")
    if case.options["network_weights"] == "kohya":
        other = os.path.join(folder, "given-kohya.safetensors")
        subprocess.run([program, "lora", "convert", path, "-o", other, "--format", "kohya", "-m", model, "--quiet"], check=True, capture_output=True)
        path = other
    return path, {key: factor.detach().clone() for key, factor in training.factors().items()}


def trace_of(program, model, case, folder):
    """(tensors, settings) of a run; None and the program's last words where it failed."""
    path = os.path.join(folder, "trace.safetensors")
    out = os.path.join(folder, "trained.safetensors")
    command = [program, "train", "lora", "-m", model, *arguments(case, folder), "-o", out, "--save-trace", path, "--resume", "never", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"XDG_CACHE_HOME": os.path.join(folder, "cache")})
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["recipe"])["settings"]


def below(tensors, prefix):
    return {key[len(prefix):]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def products(factors):
    """{layer: up·down}, and magnitudes as they are."""
    matrix = lambda key: factors[key].double().flatten(1)
    made = {key: matrix(key.replace("lora_A", "lora_B")) @ matrix(key) for key in factors if "lora_A" in key}
    return made | {key: values for key, values in factors.items() if "magnitude" in key}


def largest(got, expected):
    """(largest relative distance of the tensors, its key)."""
    if got.keys() != expected.keys():
        return float("inf"), next(iter(got.keys() ^ expected.keys()))
    return max((relative(got[key].double(), expected[key].double()), key) for key in expected)


def rows_of(case, reference, program, model, folder):
    given = None
    if "network_weights" in case.options:
        path, given = write_given(program, model, reference, case, folder)
        case = dataclasses.replace(case, options={**case.options, "network_weights": path})
    trace, settings = trace_of(program, model, case, folder)
    if trace is None:
        return [Row(case.name, "the program failed", note=settings)]
    try:
        settings = Settings.of_recipe(settings)
        training = Training(reference, settings, DTYPES[case.dtype]) if given is None else given_training(reference, case, DTYPES[case.dtype], settings)
        magnitudes = {key: values.detach().clone() for key, values in training.factors().items() if "magnitude" in key}
        training.load(below(trace, "initial."))
        expected = training.run(lambda step: below(trace, f"step.{step}."))
        losses = {str(step): trace[f"step.{step}.loss"] for step in range(1, STEPS + 1)}
    except (KeyError, ValueError) as error:
        return [Row(case.name, "--save-trace", note=str(error))]
    expected_losses = {str(step): torch.tensor(loss, dtype=torch.float64) for step, loss in enumerate(expected["losses"], 1)}
    final = below(trace, "final."), expected["final"]
    what, pair = ("factors", final) if case.dtype == "fp64" else ("up·down", [products(factors) for factors in final])
    compared = {
        "losses": (largest(losses, expected_losses), LOSS_LIMIT),
        "first gradients": (largest(below(trace, "gradient."), expected["gradient"]), GRADIENT_LIMIT),
        f"{what} after {STEPS} steps": (largest(*pair), FACTORS_LIMIT),
    }
    first = below(trace, "initial.")
    if given is not None:
        compared["factors as the file has them"] = (largest(first, given), dict.fromkeys(DTYPES, 0.0))
    elif magnitudes:
        compared["first magnitudes"] = (largest({key: first[key] for key in magnitudes}, magnitudes), MAGNITUDE_LIMIT)
    rows = [Row(case.name, f"{name} ({case.dtype})", value, limit[case.dtype]) for name, ((value, _), limit) in compared.items()]
    for row, ((_, key), _) in zip(rows, compared.values()):
        row.note = "" if row.ok else key
    return rows

