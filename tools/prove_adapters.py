"""The part of prove.py about adapters of every kind: LyCORIS' modules, built by hand and put on layers of the reference's models, and
peft's DoRAs and convolutions, against the same tensors in a file that the program draws with.

LyCORIS' forward at weight 1, without bypass, is the truth: its loader and its merge_to disagree with it. Each file moves the latents
by more than a tenth, so that one without effect is found out. Names of trainers that are no package stand for the same tensors; where
each rule is from is said beside it.
"""
import dataclasses
import os

import torch
from diffusers import StableDiffusionXLPipeline
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

import prove_program
from prove_table import relative
from reference_pipeline import Case, Lora

LATENTS_LIMIT = 1e-3
LEAST_MOVE = 0.1
CHANGE = 0.5  # of a layer's output, by its adapter
CASE = Case("", "robot on a red background", "wrong", steps=4, seed=610)
COMPONENTS = {"unet": "unet", "text_encoder": "te1", "text_encoder_2": "te2"}

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "v_proj")
CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv")
NORMS = ("norm", "norm1", "norm2", "norm3", "layer_norm1", "conv_norm_out")
DORA, DORA_IN = {"weight_decompose": True}, {"weight_decompose": True, "wd_on_out": False}
TUCKER = {"use_tucker": True}
# what it is called -> (module, options, ends of the layers' names)
LYCORIS = {
    "LoCon": (LoConModule, {}, ATTENTION + CONVOLUTIONS),
    "LoCon with a core": (LoConModule, TUCKER, CONVOLUTIONS),
    "LoCon, rank-stabilised": (LoConModule, {"rs_lora": True}, ATTENTION + CONVOLUTIONS),
    "DoRA": (LoConModule, DORA, ATTENTION + CONVOLUTIONS),
    "DoRA of inputs": (LoConModule, DORA_IN, ATTENTION + CONVOLUTIONS),
    "LoHa": (LohaModule, {}, ATTENTION + CONVOLUTIONS),
    "LoHa with a core": (LohaModule, TUCKER, CONVOLUTIONS),
    "LoHa with DoRA": (LohaModule, DORA, ATTENTION),
    "LoKr": (LokrModule, {"factor": 4}, ATTENTION + CONVOLUTIONS),
    "LoKr of whole halves": (LokrModule, {"full_matrix": True}, ATTENTION + CONVOLUTIONS),
    "LoKr of four factors": (LokrModule, {"factor": 8, "decompose_both": True, "lora_dim": 2}, ATTENTION),
    "LoKr with a core": (LokrModule, {"factor": 4, "lora_dim": 3, **TUCKER}, CONVOLUTIONS),
    "LoKr with DoRA": (LokrModule, {"factor": 4, **DORA}, ATTENTION),
    "(IA)3": (IA3Module, {}, ATTENTION + CONVOLUTIONS),
    "(IA)3 of inputs": (IA3Module, {"train_on_input": True}, ATTENTION + CONVOLUTIONS),
    "GLoRA": (GLoRAModule, {}, ATTENTION + CONVOLUTIONS),
    "GLoRA with a core": (GLoRAModule, TUCKER, CONVOLUTIONS),
    "differences": (FullModule, {}, ("to_out.0", "proj_in", "conv1", "conv_shortcut", "fc1")),
    "norms": (NormModule, {}, NORMS),
}
LINEAR_IN = {LoConModule: ["lora_up.weight"], LohaModule: ["hada_w1_a"], LokrModule: ["lokr_w1", "lokr_w1_a"], IA3Module: ["weight"],
             GLoRAModule: ["a1.weight", "b1.weight"], FullModule: ["weight", "bias"], NormModule: ["w_norm", "b_norm"]}


def rows(program, model, reference, folder, only):
    """(case, what is compared, measured, limit, note) of every check."""
    proof = Proof(program, model, reference, folder)
    for name in LYCORIS:
        if only in f"adapter, {name}":
            yield from proof.by_lycoris(name)
    for name, options in {"peft DoRA": {"use_dora": True}, "peft convolutions": {}}.items():
        if only in f"adapter, {name}":
            yield from proof.by_peft(name, options)


class Proof:
    def __init__(self, program, model, reference, folder):
        self.program, self.model, self.reference, self.folder = program, model, reference, folder
        reference.base.unload_lora_weights()  # adapters that were made on it are deleted, but their layers' wrappers may still act
        self.plain = reference.run(CASE)["latents"]

    def path(self, name):
        return os.path.join(self.folder, name.replace(" ", "_").replace(",", "").replace("(", "").replace(")", "") + ".safetensors")

    def drawn(self, file):
        return prove_program.run(self.program, self.model, dataclasses.replace(CASE, loras=(Lora(file),)), self.folder)["latents"]

    def compared(self, name, file, expected):
        moved = relative(expected, self.plain)
        yield f"adapter, {name}", "latents", relative(self.drawn(file), expected), LATENTS_LIMIT, f"it moves them by {moved:.2f}"
        yield f"adapter, {name}", "a tenth over its effect", LEAST_MOVE / moved, 1.0, ""

    def by_lycoris(self, name):
        kind, options, ends = LYCORIS[name]
        modules = self.modules(kind, options, ends)
        for module in modules.values():
            module.apply_to()
        try:
            expected = self.reference.run(CASE)["latents"]
            with torch.no_grad():
                tensors = {layer: pieces_of(module) for layer, module in modules.items()}
        finally:
            for module in modules.values():
                module.restore()
        file = self.path(name)
        write(tensors, kohya_stem, file)
        yield from self.compared(name, file, expected)
        if name in ("LoCon", "LoKr"):
            yield from self.under_other_names(name, tensors, expected)

    def under_other_names(self, name, tensors, expected):
        """The same tensors; the layers' names are those of trainers that can be no reference."""
        names = sgm_names()
        sgm = lambda layer: sgm_name(layer, names)
        rules = {
            # kohya-ss/sd-scripts networks/lora.py, LoRANetwork: SGM's blocks, "_" for "."
            "sd-scripts": lambda part, layer: kohya_stem(part, sgm(layer) if part == "unet" else layer),
            # Nerogar/OneTrainer modules/util/convert_lora_util.py, the dotted form with diffusers' blocks
            "OneTrainer, dotted": lambda part, layer: f"lora_{COMPONENTS[part]}.{layer}",
            # Nerogar/OneTrainer modules/util/convert/lora/convert_sdxl_lora.py, OMI
            "OMI": lambda part, layer: {"unet": "unet.", "text_encoder": "clip_l.", "text_encoder_2": "clip_g."}[part] + (sgm(layer) if part == "unet" else layer),
            # comfyanonymous/ComfyUI comfy_extras/nodes_lora_extract.py and comfy/lora.py, model_lora_keys_unet, model_lora_keys_clip
            "ComfyUI": lambda part, layer: {"unet": "diffusion_model.", "text_encoder": "text_encoders.clip_l.transformer.",
                                            "text_encoder_2": "text_encoders.clip_g.transformer."}[part] + (sgm(layer) if part == "unet" else layer),
            # ostris/ai-toolkit and bghira/SimpleTuner: diffusers' names
            "diffusers' names": lambda part, layer: f"{part}.{layer}",
            # LyCORIS wrapper.py, LycorisNetwork.LORA_PREFIX for each part
            "LyCORIS' wrapper": lambda part, layer: f"lycoris_{part}_{layer.replace('.', '_')}",
        }
        for rule, stem in rules.items():
            file = self.path(f"{name} {rule}".replace("'", ""))
            write(tensors, stem, file)
            yield f"adapter, {name} under the names of {rule}", "latents", relative(self.drawn(file), expected), LATENTS_LIMIT, ""

    def modules(self, kind, options, ends):
        """{(part, layer): module} on every layer of all three models whose name ends so."""
        generator = torch.Generator().manual_seed(611)
        modules = {}
        for part in COMPONENTS:
            for layer, original in getattr(self.reference.base, part).named_modules():
                if not any(layer == end or layer.endswith("." + end) for end in ends):
                    continue
                module = kind("", original, **{"lora_dim": 4, "alpha": 3.0, **options})
                randomise(module, original, generator)
                name = layer if part == "unet" or layer.startswith("text_model.") else "text_model." + layer
                modules[part, name] = module.eval()
        return modules

    def by_peft(self, name, options):
        """With peft's layers as they are made: diffusers' loader would leave the text encoders' magnitudes out."""
        pipe = self.reference.base
        generator = torch.Generator().manual_seed(612)
        parts = {}
        for part, targets in (("unet", ["to_q", "to_v", "conv1", "conv_shortcut", "downsamplers.0.conv"]), ("text_encoder_2", ["q_proj"])):
            network = getattr(pipe, part)
            network.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=targets, **options), adapter_name="random")
            for key, parameter in network.named_parameters():
                noise = torch.randn(parameter.shape, generator=generator) if "lora_" in key else None
                if "magnitude" in key:
                    parameter.data.mul_(1 + 0.2 * noise)
                elif noise is not None:
                    parameter.data.copy_(noise * (0.1 if "lora_B" in key else 1 / parameter[0].numel() ** 0.5))
            state = get_peft_model_state_dict(network, adapter_name="random")
            parts[part + "_lora_layers"] = {key: tensor.detach().clone() for key, tensor in state.items()}
        expected = self.reference.run(CASE)["latents"]
        pipe.unload_lora_weights()
        file = self.path(name)
        StableDiffusionXLPipeline.save_lora_weights(self.folder, **parts, weight_name=os.path.basename(file))
        yield from self.compared(name, file, expected)


def randomise(module, original, generator):
    """As training would leave it; where it can be, the layer's output changes by CHANGE of its own length."""
    for key, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if key == "dora_scale":
            parameter.data.mul_(1 + 0.2 * noise)
        else:
            parameter.data.copy_(noise * 0.2)
    x = sample(original, generator)
    with torch.no_grad():
        plain = original(x)
        strength = CHANGE * plain.norm() / (module(x) - plain).norm()
        for key in LINEAR_IN[type(module)]:
            owner, _, name = key.rpartition(".")
            parameter = getattr(module.get_submodule(owner), name, None)
            if parameter is not None and not hasattr(module, "dora_scale"):
                parameter.data.mul_(strength)


def sample(layer, generator):
    if isinstance(layer, (torch.nn.Conv2d, torch.nn.GroupNorm)):
        return torch.randn(1, getattr(layer, "in_channels", None) or layer.num_channels, 8, 8, generator=generator)
    return torch.randn(16, getattr(layer, "in_features", None) or layer.normalized_shape[0], generator=generator)


def sgm_names():
    """{diffusers' name of a layer: SGM's}, by diffusers' converter (goldens_io.py)."""
    with open(os.path.join(os.path.dirname(__file__), "..", "tests", "golden", "sgm_unet_names.txt")) as file:
        lines = (line.split() for line in file)
        return {ours.rpartition(".")[0]: theirs.rpartition(".")[0] for part, ours, theirs in lines if part == "base"}


def sgm_name(layer, names):
    """Inside an attention both call their layers alike."""
    if layer in names:
        return names[layer]
    block, inner, rest = layer.partition(".transformer_blocks.")
    return names[block + ".norm"].removesuffix(".norm") + inner + rest


def pieces_of(module):
    """Without what peft left round the layer."""
    tensors = module.custom_state_dict() or {key: tensor for key, tensor in module.state_dict().items() if key in module.weight_list}
    return {key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}


def kohya_stem(part, layer):
    return f"lora_{COMPONENTS[part]}_{layer.replace('.', '_')}"


def write(tensors, stem, file):
    save_file({f"{stem(part, layer)}.{key}": tensor for (part, layer), pieces in tensors.items() for key, tensor in pieces.items()}, file,
              metadata={"format": "pt"})
