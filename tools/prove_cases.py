"""The cases of prove.py: ten prompts with and without a negative, base and base + refiner, then one case or more an option."""
import dataclasses
import os

import prove_loras
from reference_pipeline import Case, Lora

PROMPTS = [
    ("red apple on a blue background", "blurry"),
    ("a big lion", "low quality, bad hands"),
    ("pizza next to volcano on a teal background", "jpeg artifacts, signature"),
    ("owl, blurry", "watermark"),
    ("jpeg artifacts, signature", "ugly"),
    ("small frog on a white background", "random text, error"),
    ("hedgehog next to owl", "missing or extra fingers"),
    ("a big rocket on a purple background, cropped", "duplicate, mutilated"),
    ("robot on a black background", "wrong"),
    ("Tiger; 3 of them!", ""),
]


def all_cases(reference, folder):
    return prompt_cases() + option_cases() + weight_cases() + lora_cases(reference, folder) + apart_cases(reference, folder) + embedding_cases(
        reference, folder)


def prompt_cases():
    cases = []
    for i, (prompt, negative) in enumerate(PROMPTS):
        for given in (None, negative):
            side = "no negative" if given is None else f'negative "{given}"'
            plain = Case(f'"{prompt}", {side}', prompt, given, seed=100 + i, cfg_scale=5.0 + i % 3)
            cases += [
                dataclasses.replace(plain, name=plain.name + ", 1 step", steps=1, schedule="trailing"),
                dataclasses.replace(plain, name=plain.name + ", base"),
                dataclasses.replace(plain, name=plain.name + ", base + refiner", refiner_start=0.8),
            ]
    return cases


def option_cases():
    plain = Case("", "a big lion on a green background", "low quality", steps=20, seed=200)
    other = dict(prompt="small owl", negative_prompt="signature, blurry")
    options = {}
    for sampler in ("euler", "euler_ancestral", "dpmpp_2m", "heun"):
        for schedule in ("leading", "linspace", "trailing", "karras"):
            # diffusers has no Euler ancestral on Karras sigmas.
            if (sampler, schedule) not in (("euler", "leading"), ("euler_ancestral", "karras")):
                options[f"{sampler}, {schedule}"] = dict(sampler=sampler, schedule=schedule)
    options |= {
        "dpmpp_2m, 8 steps": dict(sampler="dpmpp_2m", steps=8),
        "dpmpp_2m, karras, base + refiner": dict(sampler="dpmpp_2m", schedule="karras", refiner_start=0.7),
        "trailing, 61 steps (62 timesteps)": dict(schedule="trailing", steps=61),
        "guidance rescale 0.7": dict(guidance_rescale=0.7, cfg_scale=9.0),
        "cfg 1, no guidance": dict(cfg_scale=1.0),
        "cfg 13": dict(cfg_scale=13.0),
        "guidance in part of the run": dict(guidance_interval=(0.2, 0.6)),
        "80x48 pixels": dict(size=(48, 80), **other),
        "40x104 pixels": dict(size=(104, 40), **other),
        "sizes and crop": dict(original_size=(96, 128), crop_top_left=(8, 4), target_size=(64, 56), **other),
        "prompts for the second encoder": dict(prompt_2="rocket", negative_prompt_2="ugly", **other),
        "refiner from 0.5": dict(refiner_start=0.5),
    }
    return [dataclasses.replace(plain, name=name, **changes) for name, changes in options.items()]


def weight_cases():
    long_prompt = "owl on a (blue)1.3 background, " * 20 + "(red apple)1.5"
    prompts = {
        "up": ("(red apple)++ on a blue background", None),
        "down": ("owl, (blurry)0.5", "(low quality)++++"),
        "numbers, nested": ("a (big (lion)1.2)1.1 on a (teal)0.81 background", "(ugly)1.5, (duplicate)0.7"),
        "quotes, words": ('"small frog"1.3 on a white+++ background', "watermark--"),
        "zero": ("pizza next to (volcano)0", "blurry"),
        "blend": ('("a big lion", "an owl").blend(0.6, 0.4)', "blurry"),
        "and": ('("a big lion", "an owl on a blue background").and()', "blurry"),
        "longer than 77 tokens": (long_prompt, "blurry"),
    }
    cases = [Case(f"weights, {name}", prompt, negative, seed=300 + i, weighting="compel")
             for i, (name, (prompt, negative)) in enumerate(prompts.items())]
    return cases + [dataclasses.replace(cases[i], name=cases[i].name + ", base + refiner", refiner_start=0.8) for i in (0, 1)]


def lora_cases(reference, folder):
    path = lambda name: os.path.join(folder, name + ".safetensors")
    unet = prove_loras.diffusers_lora(reference, path("unet"), seed=1)
    text = prove_loras.diffusers_lora(reference, path("text"), seed=2, text_encoders=True)
    everything = prove_loras.diffusers_lora(reference, path("everything"), seed=3, strength=0.02,
                                            targets=prove_loras.ATTENTION + ["ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"])
    loras = {"diffusers": [Lora(unet)]}
    loras |= {dialect: [Lora(unet, given=file)] for dialect, file in prove_loras.write_dialects(unet, reference).items()}
    loras |= {
        "weight 0.7": [Lora(unet, 0.7)],
        "weight -1": [Lora(unet, -1.0)],
        "feed-forward and projections": [Lora(everything)],
        "text encoders": [Lora(text)],
        "two at once": [Lora(text, 0.7), Lora(everything, -0.5)],
        "negative branch alone": [Lora(unet, 1.0, "negative")],
        "negative branch alone, text encoders": [Lora(text, 1.0, "negative")],
        "positive branch alone": [Lora(text, 0.8, "positive")],
        "one on each branch": [Lora(unet, 1.0, "negative"), Lora(everything, 1.0, "positive")],
    }
    plain = Case("", "robot on a red background", "wrong", seed=400)
    cases = [dataclasses.replace(plain, name=f"LoRA, {name}", loras=tuple(given)) for name, given in loras.items()]
    cases.append(dataclasses.replace(plain, name="LoRA, base + refiner", loras=(Lora(unet),), refiner_start=0.8))
    cases.append(dataclasses.replace(plain, name="LoRA and weights", loras=(Lora(text, 0.7),), prompt="(robot)1.3 on a red background",
                                     negative_prompt="(wrong)1.2", weighting="compel"))
    return cases


def apart_cases(reference, folder):
    """The negative prompt in a row of its own, which LoRAs of the negative branch act on alone."""
    unet = prove_loras.diffusers_lora(reference, os.path.join(folder, "apart.safetensors"), seed=6)
    text = prove_loras.diffusers_lora(reference, os.path.join(folder, "apart_text.safetensors"), seed=7, text_encoders=True)
    third = (Lora(unet, 1.0, "negative"),)
    plain = Case("", "robot on a red background", "wrong", seed=600, negative_scale=1.0)
    options = {
        "base": {},
        "base + refiner": dict(refiner_start=0.8),
        "LoRA on its row, base": dict(loras=third),
        "LoRA on its row, base + refiner": dict(loras=third, refiner_start=0.8),
        "LoRA on both branches, text encoders": dict(loras=(Lora(text, 0.7),)),
        "one LoRA on each branch": dict(loras=(Lora(unet, 0.8, "negative"), Lora(text, 0.8, "positive")), negative_scale=2.5),
        "LoRA and no negative prompt": dict(loras=third, negative_prompt=None),
        "each guidance in its part of the run, LoRA": dict(loras=third, guidance_interval=(0.1, 0.6), negative_interval=(0.4, 0.9)),
        "its part reaches into the refiner, LoRA": dict(loras=third, negative_interval=(0.7, 0.9), refiner_start=0.8),
        "guidance rescale 0.7, LoRA": dict(loras=third, guidance_rescale=0.7, cfg_scale=9.0),
        "cfg 1, LoRA": dict(loras=third, cfg_scale=1.0),
        "dpmpp_2m, karras, LoRA": dict(loras=third, sampler="dpmpp_2m", schedule="karras"),
    }
    return [dataclasses.replace(plain, name=f"negative apart, {name}", **changes) for name, changes in options.items()]


def embedding_cases(reference, folder):
    file = prove_loras.embedding(reference, os.path.join(folder, "sonk.safetensors"), seed=5)
    return [Case("embedding in prompt and negative", "sonk on a blue background", "sonk, blurry", steps=20, seed=500, embedding=file)]
