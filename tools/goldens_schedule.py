"""Makes OUT/schedule.json from diffusers: grids, trajectories, base/refiner splits, guidance rescale.

    goldens_schedule.py MODEL OUT

The noise schedule is MODEL's. Numbers are fp32 values printed with nine digits, which read back exactly.
"""
import argparse
import json
import types
from pathlib import Path

import diffusers
import torch
from diffusers import DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import rescale_noise_cfg

CONFIG_KEYS = ["beta_start", "beta_end", "beta_schedule", "steps_offset", "timestep_spacing"]
SAMPLERS = {"euler": EulerDiscreteScheduler, "euler_ancestral": EulerAncestralDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler}
SPACINGS = ["leading", "linspace", "trailing"]
STEPS = [1, 2, 4, 10, 25, 30, 48, 50, 61]
SPLIT_STEPS = [1, 2, 10, 20, 25, 30, 33, 40, 50, 61]
FRACTIONS = [0.1, 0.3, 0.5, 0.7, 0.75, 0.7995, 0.8, 0.8005, 0.85, 0.9, 0.99]


def numbers(values):
    return [float(f"{v:.9g}") for v in torch.as_tensor(values, dtype=torch.float64).flatten().tolist()]


def scheduler(config, sampler, grid, **options):
    """A karras grid keeps the model's own spacing: Euler takes its ends from there."""
    settings = dict(config, **options)
    if grid == "karras":
        settings["use_karras_sigmas"] = True
    else:
        settings["timestep_spacing"] = grid
    return SAMPLERS[sampler](**settings)


def cases():
    for sampler in SAMPLERS:
        for grid in SPACINGS + (["karras"] if sampler != "euler_ancestral" else []):
            yield sampler, grid


def grids(config):
    rows = []
    for sampler, grid in cases():
        for steps in STEPS:
            s = scheduler(config, sampler, grid)
            s.set_timesteps(steps)
            rows.append(dict(sampler=sampler, grid=grid, steps=steps, timesteps=numbers(s.timesteps), sigmas=numbers(s.sigmas),
                             init_noise_sigma=numbers(s.init_noise_sigma)[0]))
    return rows


def model(x, t):
    """Stands for a UNet: depends on input and time, on every element."""
    return 0.3 * x + 0.2 * torch.sin(torch.as_tensor(float(t)) / 100)


def trajectory(config, sampler, grid, steps, first, options):
    """Runs steps first … last and keeps the latents after each of the first three, the last, and one draw from the generator after all."""
    s = scheduler(config, sampler, grid, **options)
    s.set_timesteps(steps)
    s.set_begin_index(first)
    generator = torch.Generator("cpu").manual_seed(7)
    x = torch.randn((1, 4, 2, 3), generator=generator) * s.init_noise_sigma
    kept = [numbers(x)]
    for i in range(first, len(s.timesteps)):
        t = s.timesteps[i]
        out = model(s.scale_model_input(x, t), t)
        x = s.step(out, t, x, **({} if sampler == "dpmpp_2m" else {"generator": generator})).prev_sample
        if i - first < 3 or i == len(s.timesteps) - 1:
            kept.append(numbers(x))
    return dict(sampler=sampler, grid=grid, steps=steps, first=first, options=options, latents=kept,
                next_draw=numbers(torch.randn(16, generator=generator))[0])


def trajectories(config):
    rows = [trajectory(config, sampler, grid, 10, 0, {}) for sampler, grid in cases()]
    for sampler in SAMPLERS:
        rows.append(trajectory(config, sampler, "leading", 50, 40, {}))
        rows.append(trajectory(config, sampler, "leading", 10, 0, {"prediction_type": "v_prediction"}))
        rows.append(trajectory(config, sampler, "trailing", 10, 0, {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}))
    for sampler in ["euler", "dpmpp_2m"]:
        for steps in [10, 20]:
            rows.append(trajectory(config, sampler, "leading", steps, 0, {"final_sigmas_type": "sigma_min"}))
    rows.append(trajectory(config, "dpmpp_2m", "leading", 10, 0, {"final_sigmas_type": "sigma_min", "lower_order_final": False}))
    rows.append(trajectory(config, "dpmpp_2m", "leading", 20, 0, {"final_sigmas_type": "sigma_min", "euler_at_final": True}))
    return rows


def splits(config):
    """The refiner's count from the img2img pipeline itself; the base's by the rule in the text-to-image pipeline's __call__."""
    rows = []
    for sampler, grid in cases():
        for steps in SPLIT_STEPS:
            counts = []
            for fraction in FRACTIONS:
                s = scheduler(config, sampler, grid)
                s.set_timesteps(steps)
                _, refiner = StableDiffusionXLImg2ImgPipeline.get_timesteps(types.SimpleNamespace(scheduler=s), steps, 0.3, "cpu", fraction)
                cutoff = int(round(1000 - fraction * 1000))
                counts.append([len([t for t in s.timesteps if t >= cutoff]), refiner])
            rows.append(dict(sampler=sampler, grid=grid, steps=steps, counts=counts))
    return dict(fractions=FRACTIONS, rows=rows)


def guidance():
    generator = torch.Generator("cpu").manual_seed(3)
    uncond, text = torch.randn((2, 2, 4, 3, 2), generator=generator)
    text = text * torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    guided = uncond + 7.5 * (text - uncond)
    return dict(shape=[2, 4, 3, 2], uncond=numbers(uncond), text=numbers(text), guidance_scale=7.5, guided=numbers(guided),
                rescaled=numbers(rescale_noise_cfg(guided, text, guidance_rescale=0.7)))


def noise_schedules(config):
    rows = []
    for options in [{}, {"beta_schedule": "linear"}, {"rescale_betas_zero_snr": True}]:
        s = EulerDiscreteScheduler(**dict(config, **options))
        kept = [0, 1, 20, 250, 499, 500, 750, 980, 981, 998, 999]
        sigmas = ((1 - s.alphas_cumprod) / s.alphas_cumprod) ** 0.5
        rows.append(dict(options=options, index=kept, alphas_cumprod=numbers(s.alphas_cumprod[kept]), sigmas=numbers(sigmas[kept]),
                         alphas_cumprod_sum=s.alphas_cumprod.double().sum().item()))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with open(args.model / "scheduler" / "scheduler_config.json") as f:
        config = {key: value for key, value in json.load(f).items() if key in CONFIG_KEYS}
    golden = dict(made_by=f"tools/goldens_schedule.py, diffusers {diffusers.__version__}, torch {torch.__version__}", config=config,
                  noise_schedules=noise_schedules(config), grids=grids(config), trajectories=trajectories(config), splits=splits(config),
                  guidance=guidance())
    with open(args.out / "schedule.json", "w") as f:
        f.write(json.dumps(golden, separators=(",", ":")).replace('{"sampler"', '\n{"sampler"') + "\n")


if __name__ == "__main__":
    main()
