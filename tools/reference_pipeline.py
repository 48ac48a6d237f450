"""SDXL pictures by diffusers, as goldens_model.py and prove.py take them: fp32 on the CPU, one CPU generator a picture.

A Case says what to draw, in the words of negativa's command line; Reference.run(case) draws it and returns the tensors that
`negativa generate --save-tensors` writes, by the same names.
"""
import contextlib
import dataclasses
import os

import diffusers
import torch
import transformers
from compel import Compel, CompelForSDXL, ReturnedEmbeddingsType
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import rescale_noise_cfg
from diffusers import (DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline)

SAMPLERS = {
    "euler": EulerDiscreteScheduler,
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "heun": HeunDiscreteScheduler,
}


@dataclasses.dataclass(frozen=True)
class Lora:
    file: str          # in the dialect diffusers loads
    weight: float = 1.0
    branch: str = "both"
    given: str = ""    # the same LoRA in another dialect, for the program; empty: `file`


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    prompt: str
    negative_prompt: str | None = None
    prompt_2: str | None = None
    negative_prompt_2: str | None = None
    steps: int = 50
    cfg_scale: float = 5.0
    seed: int = 0
    sampler: str = "euler"
    schedule: str = "leading"
    refiner_start: float | None = None
    guidance_rescale: float = 0.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    negative_scale: float | None = None            # the negative prompt in a row of its own
    negative_interval: tuple[float, float] = (0.0, 1.0)
    size: tuple[int, int] | None = None            # (height, width) in pixels, as are the next three
    original_size: tuple[int, int] | None = None
    crop_top_left: tuple[int, int] | None = None
    target_size: tuple[int, int] | None = None
    weighting: str = "none"                        # or compel
    loras: tuple[Lora, ...] = ()
    embedding: str | None = None                   # textual inversion file; its name in prompts is the file's stem


@contextlib.contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def file_arguments(path):
    return dict(pretrained_model_name_or_path_or_dict=os.path.dirname(path), weight_name=os.path.basename(path))


class Reference:
    def __init__(self, model):
        for library in (diffusers, transformers):
            library.utils.logging.set_verbosity_error()
            library.utils.logging.disable_progress_bar()
        self.model = model
        self.base = StableDiffusionXLPipeline.from_pretrained(model, dtype=torch.float32)
        self.refiner = StableDiffusionXLImg2ImgPipeline.from_pretrained(os.path.join(model, "refiner"), dtype=torch.float32)
        for pipe in (self.base, self.refiner):
            pipe.set_progress_bar_config(disable=True)
        self.scheduler_config = self.base.scheduler.config
        self.pixels = self.base.unet.config.sample_size * self.base.vae_scale_factor

    @torch.no_grad()
    def run(self, case, thread_count=1):
        """{name: fp32 tensor} as --save-tensors names them; base_latents only with a refiner, negatives only under guidance."""
        with threads(thread_count), self.adapted(case):
            self.set_schedulers(case)
            tensors = self.embeds(case)
            tensors["initial_latents"] = self.initial_latents(case)
            if self.needs_own_loop(case):
                latents = self.own_loop(case, tensors)
            else:
                latents = self.base(**self.base_arguments(case, tensors)).images
            if case.refiner_start is not None:
                tensors["base_latents"] = latents
                if case.negative_scale is not None:
                    latents = self.refiner_loop(case, latents)
                else:
                    latents = self.refiner(**self.refiner_arguments(case, latents)).images
            tensors["latents"] = latents
            tensors["image"] = self.base.vae.decode(latents / self.base.vae.config.scaling_factor).sample
        return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}

    def set_schedulers(self, case):
        options = {"use_karras_sigmas": True} if case.schedule == "karras" else {"timestep_spacing": case.schedule}
        for pipe in (self.base, self.refiner):
            pipe.scheduler = SAMPLERS[case.sampler].from_config(self.scheduler_config, **options)

    @contextlib.contextmanager
    def adapted(self, case):
        """Loads the case's LoRAs and embedding, and takes them out again."""
        if case.embedding:
            # load_textual_inversion fills one tokenizer and encoder a call; models are kept, so a case with one gets its own pipeline.
            saved, self.base = self.base, StableDiffusionXLPipeline.from_pretrained(self.model, dtype=torch.float32)
            self.base.set_progress_bar_config(disable=True)
            self.load_embedding(case.embedding)
        names = [f"lora_{i}" for i in range(len(case.loras))]
        for name, lora in zip(names, case.loras):
            self.base.load_lora_weights(**file_arguments(lora.file), adapter_name=name)
        if names:
            self.base.set_adapters(names, [lora.weight for lora in case.loras])
        try:
            yield
        finally:
            if names:
                self.base.unload_lora_weights()
            if case.embedding:
                self.base = saved

    def load_embedding(self, path):
        from safetensors.torch import load_file
        vectors, token = load_file(path), os.path.splitext(os.path.basename(path))[0]
        for key, tokenizer, encoder in (("clip_l", self.base.tokenizer, self.base.text_encoder),
                                        ("clip_g", self.base.tokenizer_2, self.base.text_encoder_2)):
            self.base.load_textual_inversion(vectors[key], token=token, tokenizer=tokenizer, text_encoder=encoder)

    def embeds(self, case):
        if case.weighting == "compel":
            compel = CompelForSDXL(self.base)
            for part in (compel.compel_1, compel.compel_2):
                # Compel's own default; only this wrapper chunks long prompts.
                part.conditioning_provider.truncate_to_model_max_length = True
            got = compel(case.prompt, negative_prompt=case.negative_prompt)
            positive, negative = (got.embeds, got.pooled_embeds), (got.negative_embeds, got.negative_pooled_embeds)
            if negative[0] is None:
                negative = tuple(torch.zeros_like(part) for part in positive)
        elif self.branches(case) == {"both"} and case.negative_scale is None:
            positive, negative = self.encode(case)
        else:
            positive, negative = self.encode_by_branch(case)
        tensors = dict(prompt_embeds=positive[0], pooled_prompt_embeds=positive[1])
        if case.negative_scale is not None:
            tensors |= dict(zip(("unconditional_prompt_embeds", "unconditional_pooled_prompt_embeds"), map(torch.zeros_like, positive)))
        if case.cfg_scale > 1 or case.negative_scale is not None:
            tensors |= dict(negative_prompt_embeds=negative[0], negative_pooled_prompt_embeds=negative[1])
        return tensors

    def encode(self, case):
        """((prompt_embeds, pooled), (negative_prompt_embeds, negative pooled)) of the pipeline as it stands."""
        prompt, negative, pooled, negative_pooled = self.base.encode_prompt(
            prompt=case.prompt, prompt_2=case.prompt_2, negative_prompt=case.negative_prompt, negative_prompt_2=case.negative_prompt_2,
            device="cpu", do_classifier_free_guidance=True)
        return (prompt, pooled), (negative, negative_pooled)

    def encode_by_branch(self, case):
        sides = []
        for branch in ("positive", "negative"):
            self.switch_loras(case, branch)
            sides.append(self.encode(case)[branch == "negative"])
        return sides

    @staticmethod
    def branches(case):
        return {lora.branch for lora in case.loras} or {"both"}

    def switch_loras(self, case, branch):
        """Leaves on the LoRAs that act on this half of guidance; none act on the unconditional row."""
        acting = () if branch == "unconditional" else ("both", branch)
        on = {f"lora_{i}": lora.weight for i, lora in enumerate(case.loras) if lora.branch in acting}
        if on:
            self.base.enable_lora()
            self.base.set_adapters(list(on), list(on.values()))
        else:
            self.base.disable_lora()

    def base_arguments(self, case, embeds):
        arguments = dict(num_inference_steps=case.steps, guidance_scale=case.cfg_scale, guidance_rescale=case.guidance_rescale,
                         generator=torch.Generator("cpu").manual_seed(case.seed), output_type="latent", denoising_end=case.refiner_start)
        if case.weighting == "compel":
            arguments |= {name: embeds.get(name) for name in ("prompt_embeds", "pooled_prompt_embeds", "negative_prompt_embeds",
                                                              "negative_pooled_prompt_embeds")}
        else:
            arguments |= dict(prompt=case.prompt, prompt_2=case.prompt_2, negative_prompt=case.negative_prompt,
                              negative_prompt_2=case.negative_prompt_2)
        height, width = case.size or (self.pixels, self.pixels)
        arguments |= dict(height=height, width=width, original_size=case.original_size, target_size=case.target_size)
        if case.crop_top_left:
            arguments["crops_coords_top_left"] = case.crop_top_left
        return arguments

    def refiner_arguments(self, case, latents):
        arguments = dict(image=latents, denoising_start=case.refiner_start, num_inference_steps=case.steps, guidance_scale=case.cfg_scale,
                         generator=torch.Generator("cpu").manual_seed(case.seed), output_type="latent")
        if case.weighting != "compel":
            return arguments | dict(prompt=case.prompt, negative_prompt=case.negative_prompt)
        # CompelForSDXL wants two encoders; this is what it does with its second one.
        compel = Compel(tokenizer=self.refiner.tokenizer_2, text_encoder=self.refiner.text_encoder_2, requires_pooled=True,
                        returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED)
        prompt_embeds, pooled = compel(case.prompt)
        negative_embeds, negative_pooled = compel(case.negative_prompt or "")
        return arguments | dict(prompt_embeds=prompt_embeds, pooled_prompt_embeds=pooled, negative_prompt_embeds=negative_embeds,
                                negative_pooled_prompt_embeds=negative_pooled)

    def initial_latents(self, case):
        """The first latents, already × init_noise_sigma."""
        height, width = case.size or (self.pixels, self.pixels)
        self.base.scheduler.set_timesteps(case.steps)
        shape = (1, self.base.unet.config.in_channels, height // self.base.vae_scale_factor, width // self.base.vae_scale_factor)
        return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(case.seed)) * self.base.scheduler.init_noise_sigma

    def needs_own_loop(self, case):
        return self.branches(case) != {"both"} or case.guidance_interval != (0.0, 1.0) or case.negative_scale is not None

    @staticmethod
    def guided(case, progress, predict):
        """One prediction of predict(branch), branch positive, negative or unconditional, at that share of the schedule."""
        active = lambda interval: interval[0] <= progress < interval[1]
        positive = noise_pred = predict("positive")
        by_cfg, apart = case.cfg_scale > 1 and active(case.guidance_interval), case.negative_scale is not None and active(case.negative_interval)
        if not by_cfg and not apart:
            return positive
        reference = predict("negative" if case.negative_scale is None else "unconditional")
        if by_cfg:
            noise_pred = reference + case.cfg_scale * (positive - reference)
        if apart:
            noise_pred = noise_pred - case.negative_scale * (predict("negative") - reference)
        return rescale_noise_cfg(noise_pred, positive, case.guidance_rescale) if case.guidance_rescale else noise_pred

    def own_loop(self, case, embeds):
        """What the pipeline cannot do: LoRAs on one half of guidance, guidance in part of the run, three rows. A UNet pass a row."""
        scheduler = self.base.scheduler
        scheduler.set_timesteps(case.steps)
        generator = torch.Generator("cpu").manual_seed(case.seed)
        torch.randn(embeds["initial_latents"].shape, generator=generator)
        latents = embeds["initial_latents"]
        for i, t in enumerate(scheduler.timesteps):
            scaled = scheduler.scale_model_input(latents, t)
            noise_pred = self.guided(case, i / len(scheduler.timesteps), lambda branch: self.predict(case, branch, scaled, t, embeds))
            options = {} if case.sampler == "dpmpp_2m" else {"generator": generator}
            latents = scheduler.step(noise_pred, t, latents, **options, return_dict=False)[0]
            if case.refiner_start is not None and i + 1 == self.base_steps(case):
                break
        return latents

    def base_steps(self, case):
        """Steps before the refiner's, as the pipeline's denoising_end counts them."""
        total = self.base.scheduler.config.num_train_timesteps
        cutoff = round(total - case.refiner_start * total)
        return int((self.base.scheduler.timesteps >= cutoff).sum())

    def refiner_loop(self, case, latents):
        """Three rows; no LoRAs, and an unconditional row of the empty prompt, since the refiner does not take zeros."""
        pipe, scheduler = self.refiner, self.refiner.scheduler
        encode = lambda prompt: pipe.encode_prompt(prompt=prompt, device="cpu", do_classifier_free_guidance=False)
        texts = {"positive": encode(case.prompt), "negative": encode(case.negative_prompt or ""), "unconditional": encode("")}
        height, width = case.size or (self.pixels, self.pixels)
        scheduler.set_timesteps(case.steps)
        timesteps = scheduler.timesteps
        for i in range(self.base_steps(case), len(timesteps)):
            scaled = scheduler.scale_model_input(latents, timesteps[i])

            def predict(branch):
                prompt_embeds, _, pooled, _ = texts[branch]
                time_ids = torch.tensor([[height, width, 0, 0, 6.0 if branch == "positive" else 2.5]], dtype=torch.float32)
                return pipe.unet(scaled, timesteps[i], encoder_hidden_states=prompt_embeds,
                                 added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}, return_dict=False)[0]
            latents = scheduler.step(self.guided(case, i / len(timesteps), predict), timesteps[i], latents, return_dict=False)[0]
        return latents

    def predict(self, case, branch, scaled, t, embeds):
        if case.loras:
            self.switch_loras(case, branch)
        prefix = "" if branch == "positive" else branch + "_"
        pooled = embeds[prefix + "pooled_prompt_embeds"]
        height, width = case.size or (self.pixels, self.pixels)
        original, crop, target = case.original_size or (height, width), case.crop_top_left or (0, 0), case.target_size or (height, width)
        time_ids = torch.tensor([[*original, *crop, *target]], dtype=torch.float32)
        return self.base.unet(scaled, t, encoder_hidden_states=embeds[prefix + "prompt_embeds"],
                              added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}, return_dict=False)[0]
