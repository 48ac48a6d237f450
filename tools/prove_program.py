"""Runs `negativa generate` for a case of prove.py."""
import json
import os
import shlex
import subprocess

from safetensors.torch import load_file


class ProgramFailed(Exception):
    pass


def run(program, model, case, folder, *more):
    """{name: tensor} that --save-tensors wrote; more: further arguments."""
    saved = os.path.join(folder, "saved.safetensors")
    if os.path.exists(saved):
        os.remove(saved)
    command = [program, "generate", "-m", model, *arguments(model, case), *more, "-o", os.path.join(folder, "out.png"), "--save-tensors", saved]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise ProgramFailed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return load_file(saved)


def arguments(model, case):
    given = {
        "-p": case.prompt,
        "-n": case.negative_prompt,
        "--prompt-2": case.prompt_2,
        "--negative-prompt-2": case.negative_prompt_2,
        "--steps": case.steps,
        "--cfg-scale": case.cfg_scale,
        "-s": case.seed,
        "--sampler": case.sampler,
        "--schedule": case.schedule,
        "--refiner": os.path.join(model, "refiner") if case.refiner_start is not None else None,
        "--refiner-start": case.refiner_start,
        "--guidance-rescale": case.guidance_rescale or None,
        "--guidance-interval": "{}:{}".format(*case.guidance_interval) if case.guidance_interval != (0.0, 1.0) else None,
        "--negative-scale": case.negative_scale,
        "--negative-interval": "{}:{}".format(*case.negative_interval) if case.negative_interval != (0.0, 1.0) else None,
        "-H": case.size[0] if case.size else None,
        "-W": case.size[1] if case.size else None,
        "--original-size": "{}x{}".format(*case.original_size) if case.original_size else None,
        "--crop-top-left": "{},{}".format(*case.crop_top_left) if case.crop_top_left else None,
        "--target-size": "{}x{}".format(*case.target_size) if case.target_size else None,
        # Left away otherwise: the default has to equal diffusers on a prompt without weights.
        "--weighting": case.weighting if case.weighting != "none" else None,
        "--embedding": case.embedding,
        "--device": "cpu",
        "--dtype": "fp32",
        "--threads": 1,
    }
    flat = [part for flag, value in given.items() if value is not None for part in (flag, str(value))]
    for lora in case.loras:
        flat += ["--lora", f"{lora.given or lora.file}:{lora.weight}:{lora.branch}"]
    return flat + ["--quiet"]


def bound(program, isa, folder):
    """A program in the folder that is `program` with --isa added wherever a verb takes it."""
    path, own = os.path.join(folder, "negativa"), shlex.quote(program)
    with open(path, "w") as file:
        file.write(f"""#!/bin/sh
case "$1 $2" in
  generate\\ *|compare\\ *|train\\ *|score\\ *|studio\\ *|experiment\\ run) exec {own} "$@" --isa {shlex.quote(isa)} ;;
esac
exec {own} "$@"
""")
    os.chmod(path, 0o755)
    return path


def version(program):
    """{what: version} as `negativa version --json` says it."""
    done = subprocess.run([program, "version", "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
