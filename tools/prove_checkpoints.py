"""The part of prove.py about checkpoints as people have them: each is made of the miniature, drawn here and by diffusers' own pipeline
with the scheduler and the structure that the files ask for."""
import dataclasses
import json
import os

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

import prove_program
from prove_table import PICTURE_LIMIT, picture_distance, relative
from reference_pipeline import Case

LATENTS_LIMIT = 1e-3
MOVED = 0.1  # a kind of checkpoint whose latents are nearer to the plain miniature's would prove little
CASE = Case("", "robot on a red background", "wrong", steps=20, cfg_scale=5.0, seed=900)
UNET = "unet/diffusion_pytorch_model.safetensors"
# The cards of stabilityai/cosxl and playgroundai/playground-v2.5-1024px-aesthetic.
COSXL = {"_class_name": "EDMEulerScheduler", "sigma_min": 0.002, "sigma_max": 120.0, "sigma_data": 1.0, "prediction_type": "v_prediction",
         "sigma_schedule": "exponential"}
PLAYGROUND = {"_class_name": "EDMDPMSolverMultistepScheduler", "sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5, "rho": 7.0,
              "solver_order": 2, "prediction_type": "epsilon"}


def rows(program, model, folder):
    """(case, what is compared, measured, limit) of every check."""
    proof = Proof(program, model, os.path.join(folder, "checkpoints"))
    for checks in (proof.schedulers(), proof.predictions(), proof.scaled_fp8(), proof.fewer_blocks(), proof.other_unet()):
        for case, what, measured, limit in checks:
            yield f"checkpoint, {case}", what, float(measured), limit


class Proof:
    def __init__(self, program, model, folder):
        self.program, self.model, self.folder = program, model, folder
        os.makedirs(folder, exist_ok=True)
        self.plain = self.reference(model)

    def variant(self, name, configs=None, files=None):
        """The miniature's folder with changes to some configs and other files in place of some, the rest by links."""
        folder = os.path.join(self.folder, name)
        for base, _, names in os.walk(self.model):
            if "judge" in base or "refiner" in base:
                continue
            for each in names:
                path = os.path.relpath(os.path.join(base, each), self.model)
                os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
                target = os.path.join(folder, path)
                if files and path in files:
                    save_file(files[path], target)
                elif configs and path in configs:
                    with open(os.path.join(self.model, path)) as original, open(target, "w") as changed:
                        json.dump({**json.load(original), **configs[path]}, changed)
                elif not os.path.exists(target):
                    os.symlink(os.path.join(os.path.abspath(base), each), target)
        return folder

    def pipeline(self, model, scheduler=None):
        pipeline = StableDiffusionXLPipeline.from_pretrained(model, torch_dtype=torch.float32)
        if scheduler:
            pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **scheduler)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def reference(self, model, case=CASE, scheduler=None, pipeline=None):
        pipeline = pipeline or self.pipeline(model, scheduler)
        side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        generator = torch.Generator().manual_seed(case.seed)
        run = lambda **more: pipeline(case.prompt, negative_prompt=case.negative_prompt, num_inference_steps=case.steps, guidance_scale=case.cfg_scale,
                                      generator=generator, height=side, width=side, **more).images
        latents = run(output_type="latent")
        generator.manual_seed(case.seed)
        return {"latents": latents, "image": run(output_type="pt") * 2 - 1}

    def compared(self, name, expected, model, case=CASE, more=()):
        got = prove_program.run(self.program, model, dataclasses.replace(case, name=name), self.folder, *more)
        yield name, "latents", relative(got["latents"], expected["latents"]), LATENTS_LIMIT
        yield name, "picture", picture_distance(got["image"], expected["image"]), PICTURE_LIMIT
        moved = relative(expected["latents"], self.plain["latents"])
        yield name, f"latents moved by {moved:.2f}, 0 is at least {MOVED}", 0.0 if moved > MOVED else 1.0, 0.0

    def schedulers(self):
        for name, scheduler, vae in (("CosXL's noise levels", COSXL, {}),
                                     ("Playground 2.5's", PLAYGROUND, {"scaling_factor": 0.5, "latents_mean": [-1.6, 1.2, -0.7, 0.4], "latents_std": [2.1, 1.3, 1.7, 0.9]})):
            index = {"scheduler": ["diffusers", scheduler["_class_name"]]}
            folder = self.variant(name.split("'")[0], {"model_index.json": index, "vae/config.json": vae})
            os.remove(os.path.join(folder, "scheduler/scheduler_config.json"))
            with open(os.path.join(folder, "scheduler/scheduler_config.json"), "w") as file:
                json.dump(scheduler, file)
            case = dataclasses.replace(CASE, sampler=None, schedule=None)
            yield from self.compared(f"{name} ({scheduler['_class_name']})", self.reference(folder), folder, case)

    def predictions(self):
        for kind, more in (("v_prediction", {}), ("sample", {}), ("v_prediction", {"rescale_betas_zero_snr": True})):
            name = f"--prediction-type {kind}" + (" --zero-snr" if more else "")
            flags = ["--prediction-type", kind] + (["--zero-snr"] if more else [])
            yield from self.compared(name, self.reference(self.model, scheduler={"prediction_type": kind, **more}), self.model, more=flags)

    def scaled_fp8(self):
        stored, values = {}, {}
        for key, tensor in load_file(os.path.join(self.model, UNET)).items():
            stored[key] = values[key] = tensor.float()
            if tensor.dim() < 2:
                continue
            scale = tensor.float().abs().max() / 300
            stored[key] = (tensor.float() / scale).to(torch.float8_e4m3fn)
            stored[key.removesuffix(".weight") + ".scale_weight"] = scale
            values[key] = stored[key].float() * scale
        stored["scaled_fp8"] = torch.zeros(0, dtype=torch.float8_e4m3fn)
        scaled, plain = self.variant("scaled", files={UNET: stored}), self.variant("values", files={UNET: values})
        for dtype in ("fp32", "unet:file"):
            for row in self.compared(f"fp8 times a scale, weights kept as {dtype}", self.reference(plain), scaled, more=["--weights-dtype", dtype]):
                if "moved" not in row[1]:
                    yield row

    def fewer_blocks(self):
        """SSD-1B, Segmind-Vega and KOALA: the miniature's structure without some of its blocks, weights drawn at random."""
        with open(os.path.join(self.model, os.path.dirname(UNET), "config.json")) as file:
            given = json.load(file)
        depth = given["transformer_layers_per_block"]
        last = depth if isinstance(depth, int) else depth[-1]
        ssd = {"mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [1, [1, 1], [last, 1]],
               "reverse_transformer_layers_per_block": [[1, last, 1], [1, 1, 2], 1]}
        kinds = {"SSD-1B": ssd, "Segmind-Vega": {"mid_block_type": "UNetMidBlock2D"}, "KOALA": {"mid_block_type": None, "layers_per_block": 1}}
        for name, changes in kinds.items():
            torch.manual_seed(len(name))
            unet = UNet2DConditionModel.from_config({**given, **changes}).eval()
            folder = self.variant(name, {"unet/config.json": changes}, {UNET: unet.state_dict()})
            yield from self.compared(f"the blocks of {name}", self.reference(folder), folder)

    def other_unet(self):
        """Lightning and its like: a UNet alone, over the whole model."""
        torch.manual_seed(5)
        changed = {key: tensor.float() * 0.98 for key, tensor in load_file(os.path.join(self.model, UNET)).items()}
        folder = self.variant("other", files={UNET: changed})
        for name, keys in (("diffusers' names", ""), ("behind unet.", "unet."), ("behind model.diffusion_model.", "model.diffusion_model.")):
            file = os.path.join(self.folder, "lightning.safetensors")
            save_file({keys + key: tensor for key, tensor in changed.items()}, file)
            yield from self.compared(f"--unet, {name}", self.reference(folder), self.model, more=["--unet", file])
