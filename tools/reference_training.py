"""LoRA training by diffusers, transformers and peft on given rows, as goldens_train.py, prove_train.py and bench.py take it.

The step is that of diffusers' examples/dreambooth/train_dreambooth_lora_sdxl.py; min-SNR of instance rows only, as in
examples/advanced_diffusion_training/train_dreambooth_lora_sdxl_advanced.py (the former weighs the half batch by the whole batch's rows).
Rows and factors are named as `negativa train lora --save-trace` names them.
"""
import copy
import dataclasses
import os

import diffusers
import torch
import torch.nn.functional as F
import transformers
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup
from diffusers.training_utils import compute_snr
from peft import LoraConfig
from transformers import CLIPTextModel, CLIPTextModelWithProjection

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
WIDE_CONVOLUTIONS = ["conv_in", "conv1", "conv2", "conv", "conv_out"]  # 3x3, with --conv-rank
TARGETS = {"attention": ATTENTION, "attention+ff": ATTENTION + ["ff.net.0.proj", "ff.net.2"]}
TARGETS["attention+ff+conv"] = TARGETS["attention+ff"] + WIDE_CONVOLUTIONS + ["conv_shortcut"]
TEXT_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj"]
TEXT_ENCODER_WEIGHT_DECAY = 1e-3
COLUMNS = ["latents", "noise", "timesteps", "prompt_embeds", "pooled_prompt_embeds", "add_time_ids", "input_ids", "input_ids_2"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What of a recipe's settings decides the step, under the same names."""
    rank: int = 4
    alpha: float = 4.0
    targets: str = "attention"
    conv_rank: int = 0
    conv_alpha: float = 0.0
    dora: bool = False
    text_encoders: bool = False
    steps: int = 10
    batch_size: int = 1
    gradient_accumulation: int = 1
    learning_rate: float = 1e-4
    text_encoder_learning_rate: float = 5e-6
    lr_scheduler: str = "constant"
    lr_warmup: int = 0
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    class_prompt: str = ""
    prior_weight: float = 1.0
    snr_gamma: float = 0.0

    @classmethod
    def of_recipe(cls, settings):
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in settings.items() if name in known and value is not None})

    @property
    def patterns(self):
        """peft's rank_pattern and alpha_pattern."""
        if not self.conv_rank:
            return {}
        return {"rank_pattern": dict.fromkeys(WIDE_CONVOLUTIONS, self.conv_rank), "alpha_pattern": dict.fromkeys(WIDE_CONVOLUTIONS, self.conv_alpha)}

    @property
    def rows_per_batch(self):
        return self.batch_size * (2 if self.class_prompt else 1)


class TrainingModel:
    """The parts of a model folder that training needs, without adapters."""

    def __init__(self, folder):
        for library in (diffusers, transformers):
            library.utils.logging.set_verbosity_error()
            library.utils.logging.disable_progress_bar()
        part = lambda name: os.path.join(folder, name)
        self.unet = UNet2DConditionModel.from_pretrained(part("unet"), torch_dtype=torch.float32)
        self.text_encoder = CLIPTextModel.from_pretrained(part("text_encoder"), dtype=torch.float32)
        self.text_encoder_2 = CLIPTextModelWithProjection.from_pretrained(part("text_encoder_2"), dtype=torch.float32)
        self.scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")


def encode(text_encoder, text_encoder_2, rows):
    """(prompt_embeds, pooled) of the rows' tokens."""
    first = text_encoder(rows["input_ids"], output_hidden_states=True)
    second = text_encoder_2(rows["input_ids_2"], output_hidden_states=True)
    return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second.text_embeds


class Training:
    """Adapters on a copy of the model and their optimiser; rows come with each step. layers: {part: its adapted layers}, and patterns: peft's of rank and alpha, where not the settings say which."""

    def __init__(self, model, settings, dtype, layers=None, patterns=None):
        self.patterns = settings.patterns if patterns is None else patterns
        self.settings, self.dtype, self.scheduler = settings, dtype, model.scheduler
        self.layers = layers or {"unet": TARGETS[settings.targets], "text_encoder": TEXT_TARGETS, "text_encoder_2": TEXT_TARGETS}
        names = ["unet"] + (["text_encoder", "text_encoder_2"] if settings.text_encoders else [])
        self.parts = {name: self._adapted(getattr(model, name), name) for name in names}
        rates = {"unet": (settings.learning_rate, settings.weight_decay)}
        groups = []
        for name, part in self.parts.items():
            rate, decay = rates.get(name, (settings.text_encoder_learning_rate, TEXT_ENCODER_WEIGHT_DECAY))
            groups.append({"params": [p for p in part.parameters() if p.requires_grad], "lr": rate, "weight_decay": decay})
        self.trained = [parameter for group in groups for parameter in group["params"]]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
        self.lr_scheduler = self._lr_scheduler()

    def _adapted(self, part, name):
        part = copy.deepcopy(part).requires_grad_(False)
        part.add_adapter(LoraConfig(r=self.settings.rank, lora_alpha=self.settings.alpha, init_lora_weights="gaussian", target_modules=self.layers[name],
                                    use_dora=self.settings.dora, **(self.patterns if name == "unet" else {})))
        return part.to(self.dtype).train()

    def _lr_scheduler(self):
        s = self.settings
        if s.lr_scheduler == "constant":
            return get_constant_schedule_with_warmup(self.optimizer, s.lr_warmup)
        return get_cosine_schedule_with_warmup(self.optimizer, s.lr_warmup, s.steps)

    def factors(self):
        """{key in the diffusers dialect: parameter}."""
        named = {}
        for part_name, part in self.parts.items():
            for name, parameter in part.named_parameters():
                if parameter.requires_grad:
                    named[key_of(part_name, name)] = parameter
        return named

    def load(self, values):
        factors = self.factors()
        if factors.keys() != values.keys():
            raise KeyError(f"factors {sorted(factors.keys() ^ values.keys())[:3]} are on one side only")
        with torch.no_grad():
            for key, parameter in factors.items():
                parameter.copy_(values[key])

    def embeddings(self, rows):
        """(prompt_embeds, pooled) of rows: given, or of their tokens where the encoders are trained."""
        if not self.settings.text_encoders:
            return rows["prompt_embeds"].to(self.dtype), rows["pooled_prompt_embeds"].to(self.dtype)
        return encode(self.parts["text_encoder"], self.parts["text_encoder_2"], rows)

    def instance_weights(self, timesteps):
        """min(snr, gamma) / snr of each row."""
        snr = compute_snr(self.scheduler, timesteps)
        if self.dtype == torch.float64:  # compute_snr takes roots in float32
            alphas = self.scheduler.alphas_cumprod.double()[timesteps]
            snr = alphas / (1 - alphas)
        return snr.clamp(max=self.settings.snr_gamma) / snr

    def loss(self, rows):
        """Of one batch: its instance rows, then its class rows."""
        latents, noise = rows["latents"].to(self.dtype), rows["noise"].to(self.dtype)
        prompt_embeds, pooled = self.embeddings(rows)
        noisy = self.scheduler.add_noise(latents, noise, rows["timesteps"])
        condition = {"text_embeds": pooled, "time_ids": rows["add_time_ids"].to(self.dtype)}
        noise_pred = self.parts["unet"](noisy, rows["timesteps"], prompt_embeds, added_cond_kwargs=condition, return_dict=False)[0]
        timesteps, prior_loss = rows["timesteps"], 0.0
        if self.settings.class_prompt:
            (noise_pred, class_pred), (noise, class_noise) = torch.chunk(noise_pred, 2), torch.chunk(noise, 2)
            timesteps = torch.chunk(timesteps, 2)[0]
            prior_loss = self.settings.prior_weight * F.mse_loss(class_pred, class_noise, reduction="mean")
        if self.settings.snr_gamma == 0:
            return F.mse_loss(noise_pred, noise, reduction="mean") + prior_loss
        row_losses = F.mse_loss(noise_pred, noise, reduction="none").mean(dim=[1, 2, 3])
        return (row_losses * self.instance_weights(timesteps)).mean() + prior_loss

    def accumulate(self, rows):
        """Gradients of one optimiser step; its loss, the mean over accumulated batches."""
        total, count, size = 0.0, self.settings.gradient_accumulation, self.settings.rows_per_batch
        expected = count * size
        if len(rows["timesteps"]) != expected:
            raise ValueError(f"got {len(rows['timesteps'])} rows in a step, expected {expected}")
        for first in range(0, expected, size):
            loss = self.loss({name: rows[name][first:first + size] for name in COLUMNS if name in rows}) / count
            loss.backward()
            total += loss.item()
        return total

    def gradient(self):
        """Zeros where nothing leads to a factor: the first encoder's last layer, since SDXL takes the hidden states before it."""
        return {key: torch.zeros_like(p) if p.grad is None else p.grad.clone() for key, p in self.factors().items()}

    def update(self):
        if self.settings.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.trained, self.settings.max_grad_norm)
        self.optimizer.step()
        self.lr_scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)

    def run(self, rows_of_step):
        """{"losses": of each step, "gradient": of the first, "final": factors after the last}."""
        losses, gradient = [], {}
        for step in range(1, self.settings.steps + 1):
            losses.append(self.accumulate(rows_of_step(step)))
            if step == 1:
                gradient = self.gradient()
            self.update()
        return {"losses": losses, "gradient": gradient, "final": {key: p.detach().clone() for key, p in self.factors().items()}}


def key_of(part_name, parameter_name):
    """transformers 5 dropped the level text_model from the first encoder's names; files keep it."""
    name = parameter_name.replace(".lora_magnitude_vector.default.weight", ".lora_magnitude_vector").replace(".default.", ".")
    if part_name != "unet" and not name.startswith("text_model."):
        name = "text_model." + name
    return f"{part_name}.{name}"
