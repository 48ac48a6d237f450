"""Makes OUT/schedule.json from diffusers: grids, trajectories, base/refiner splits, guidance rescale, schedulers as diffusers saves them.

    goldens_schedule.py MODEL OUT

The noise schedule is MODEL's. Numbers are fp32 values printed with nine digits, which read back exactly.
"""
import argparse
import inspect
import json
import types
from pathlib import Path

import diffusers
import torch
from diffusers import (DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       StableDiffusionXLImg2ImgPipeline)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import rescale_noise_cfg

CONFIG_KEYS = ["beta_start", "beta_end", "beta_schedule", "steps_offset", "timestep_spacing"]
SAMPLERS = {"euler": EulerDiscreteScheduler, "euler_ancestral": EulerAncestralDiscreteScheduler, "dpmpp_2m": DPMSolverMultistepScheduler,
            "heun": HeunDiscreteScheduler}
SPACINGS = ["leading", "linspace", "trailing"]
CURVES = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas"}
STEPS = [1, 2, 4, 10, 25, 30, 48, 50, 61]
SPLIT_STEPS = [1, 2, 10, 20, 25, 30, 33, 40, 50, 61]
FRACTIONS = [0.1, 0.3, 0.5, 0.7, 0.75, 0.7995, 0.8, 0.8005, 0.85, 0.9, 0.99]


def numbers(values):
    return [float(f"{v:.9g}") for v in torch.as_tensor(values, dtype=torch.float64).flatten().tolist()]


def scheduler(config, sampler, grid, **options):
    """A karras or exponential grid keeps the model's own spacing: Euler takes its ends from there."""
    settings = dict(config, **options)
    if grid in CURVES:
        settings[CURVES[grid]] = True
    else:
        settings["timestep_spacing"] = grid
    return SAMPLERS[sampler](**settings)


def cases():
    for sampler in SAMPLERS:
        for grid in SPACINGS + (list(CURVES) if sampler != "euler_ancestral" else []):
            yield sampler, grid


def whole_steps(s):
    """(timesteps, sigmas) of whole steps: Heun's class lists every level but the first twice, for the end of one step and the beginning of the next."""
    if not isinstance(s, HeunDiscreteScheduler):
        return s.timesteps, s.sigmas
    return s.timesteps[::2], torch.cat([s.sigmas[::2], s.sigmas[-1:]])


def grids(config):
    rows = []
    for sampler, grid in cases():
        for steps in STEPS:
            s = scheduler(config, sampler, grid)
            s.set_timesteps(steps)
            timesteps, sigmas = whole_steps(s)
            rows.append(dict(sampler=sampler, grid=grid, steps=steps, timesteps=numbers(timesteps), sigmas=numbers(sigmas),
                             init_noise_sigma=numbers(s.init_noise_sigma)[0]))
    return rows


def model(x, t):
    """Stands for a UNet: depends on input and time, on every element."""
    return 0.3 * x + 0.2 * torch.sin(torch.as_tensor(float(t)) / 100)


def run(s, steps, first):
    """Runs steps first … last and keeps the latents after each of the first three, the last, and one draw from the generator after all."""
    s.set_timesteps(steps)
    count = len(whole_steps(s)[0])
    begin = first * 2 if isinstance(s, HeunDiscreteScheduler) else first
    s.set_begin_index(begin)
    generator = torch.Generator("cpu").manual_seed(7)
    x = torch.randn((1, 4, 2, 3), generator=generator) * s.init_noise_sigma
    kept = [numbers(x)]
    draws = {"generator": generator} if type(s).__name__.startswith("Euler") else {}
    calls = iter(s.timesteps[begin:])
    for i in range(first, count):
        for _ in range(2 if isinstance(s, HeunDiscreteScheduler) and i < count - 1 else 1):
            t = next(calls)
            out = model(s.scale_model_input(x, t), t)
            x = s.step(out, t, x, **draws).prev_sample
        if i - first < 3 or i == count - 1:
            kept.append(numbers(x))
    return dict(latents=kept, next_draw=numbers(torch.randn(16, generator=generator))[0])


def trajectory(config, sampler, grid, steps, first, options):
    return dict(sampler=sampler, grid=grid, steps=steps, first=first, options=options, **run(scheduler(config, sampler, grid, **options), steps, first))


def trajectories(config):
    rows = [trajectory(config, sampler, grid, 10, 0, {}) for sampler, grid in cases()]
    for sampler in SAMPLERS:
        rows.append(trajectory(config, sampler, "leading", 50, 40, {}))
        rows.append(trajectory(config, sampler, "leading", 10, 0, {"prediction_type": "v_prediction"}))
        if sampler != "heun":  # whose class has no zero SNR
            rows.append(trajectory(config, sampler, "trailing", 10, 0, {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}))
    for sampler in ["euler", "dpmpp_2m"]:
        for steps in [10, 20]:
            rows.append(trajectory(config, sampler, "leading", steps, 0, {"final_sigmas_type": "sigma_min"}))
    rows.append(trajectory(config, "dpmpp_2m", "leading", 10, 0, {"final_sigmas_type": "sigma_min", "lower_order_final": False}))
    rows.append(trajectory(config, "dpmpp_2m", "leading", 20, 0, {"final_sigmas_type": "sigma_min", "euler_at_final": True}))
    for sampler in ["euler", "dpmpp_2m"]:
        for options in [{"prediction_type": "sample"}, {"prediction_type": "sample", "rescale_betas_zero_snr": True}]:
            rows.append(trajectory(config, sampler, "trailing", 10, 0, options))
    for clipped in [-1.0, -2.5, -5.1]:
        for grid in SPACINGS + ["karras"]:
            rows.append(trajectory(config, "dpmpp_2m", grid, 10, 0, {"lambda_min_clipped": clipped, "rescale_betas_zero_snr": True}))
    for grid in CURVES:
        rows.append(trajectory(config, "euler", grid, 10, 0, {"sigma_min": 0.05, "sigma_max": 12.5}))
    return rows


def saved_schedulers(config):
    """What diffusers writes as scheduler_config.json (with -Infinity, and with keys of other classes that from_config leaves in the file), which
    class draws with it, and what comes out."""
    euler, ancestral, dpm, heun = SAMPLERS.values()
    taken = lambda cls, settings: {key: value for key, value in settings.items() if key in inspect.signature(cls.__init__).parameters}
    own = lambda cls, **options: cls(**taken(cls, dict(config, **options)))
    edm_euler = lambda **options: diffusers.EDMEulerScheduler(**options)
    edm_dpm = lambda **options: diffusers.EDMDPMSolverMultistepScheduler(**options)
    v, zero_snr = {"prediction_type": "v_prediction"}, {"rescale_betas_zero_snr": True}
    continuous = dict(v, timestep_type="continuous")
    karras = {"use_karras_sigmas": True}
    cosxl = dict(v, sigma_min=0.002, sigma_max=120.0, sigma_data=1.0, sigma_schedule="exponential")
    rows = [(own(euler, **options), None) for options in [
        {}, continuous, dict(continuous, **zero_snr, timestep_spacing="trailing"), dict(continuous, **karras),
        dict(continuous, **karras, sigma_min=0.002, sigma_max=700.0), {"timestep_type": "continuous"}, {"use_exponential_sigmas": True}]]
    rows += [(own(dpm, **options), None) for options in [{}, karras, dict(v, **zero_snr, timestep_spacing="trailing")]]
    # Keys of the class before: Euler ancestral takes none of them.
    rows += [(ancestral.from_config(own(cls, **karras, final_sigmas_type="sigma_min").config), None) for cls in [euler, dpm]]
    rows += [(edm_euler(), None), (edm_euler(sigma_schedule="exponential", final_sigmas_type="sigma_min"), None), (edm_euler(**cosxl), None),
             (edm_dpm(), None), (edm_dpm(**cosxl, final_sigmas_type="sigma_min", lower_order_final=False), None)]
    # Classes that another draws for: as from_config makes that of them.
    for name in ["DDIM", "DDPM", "PNDM", "KDPM2Discrete", "SASolver"]:
        rows += [(own(getattr(diffusers, name + "Scheduler")), euler)]
    rows += [(own(diffusers.DDIMScheduler, **v, **zero_snr), euler)]
    rows += [(own(diffusers.KDPM2AncestralDiscreteScheduler, **options), ancestral) for options in [{}, karras]]
    for name in ["UniPCMultistep", "DEISMultistep", "DPMSolverSinglestep"]:
        rows += [(own(getattr(diffusers, name + "Scheduler"), **options), dpm) for options in [{}, karras]]
    rows += [(own(diffusers.UniPCMultistepScheduler, **v, **zero_snr, final_sigmas_type="sigma_min"), dpm)]
    rows += [(own(heun, **options), None) for options in [{}, karras, v]]
    rows += [(heun.from_config(own(euler, **karras, final_sigmas_type="sigma_min").config), None)]
    result = []
    for saved, drawing in rows:
        s = drawing.from_config(saved.config) if drawing else type(saved).from_config(saved.config)
        trajectory = run(s, 10, 0)
        timesteps, sigmas = whole_steps(s)
        result.append(dict(text=saved.to_json_string(), replaced=drawing is not None, steps=10, timesteps=numbers(timesteps), sigmas=numbers(sigmas), **trajectory))
    return result


def class_defaults():
    """The config of each class that stands in the program's table, as it is without arguments: what absent keys mean."""
    names = ["EulerDiscrete", "EulerAncestralDiscrete", "DPMSolverMultistep", "EDMEuler", "EDMDPMSolverMultistep", "DDIM", "DDIMParallel", "DDIMInverse", "CogVideoXDDIM", "DDPM",
             "DDPMParallel", "PNDM", "HeunDiscrete", "KDPM2Discrete", "SASolver", "KDPM2AncestralDiscrete", "UniPCMultistep", "DEISMultistep", "DPMSolverSinglestep",
             "DPMSolverMultistepInverse", "LCM", "TCD"]
    return [getattr(diffusers, name + "Scheduler")().to_json_string() for name in names]


def splits(config):
    """The refiner's count from the img2img pipeline itself; the base's by the rule in the text-to-image pipeline's __call__. Not of Heun, which
    the pipelines part in the middle of a step."""
    rows = []
    for sampler, grid in cases():
        if sampler == "heun":
            continue
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
                  guidance=guidance(), saved=saved_schedulers(config), class_defaults=class_defaults())
    with open(args.out / "schedule.json", "w") as f:
        f.write(json.dumps(golden, separators=(",", ":")).replace('{"sampler"', '\n{"sampler"').replace('{"text"', '\n{"text"') + "\n")


if __name__ == "__main__":
    main()
