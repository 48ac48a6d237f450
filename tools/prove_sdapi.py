"""The studio's /sdapi/v1 through the Python package webuiapi, as people's scripts use AUTOMATIC1111's webui: pictures, seeds, lists, options, progress.

    prove_sdapi.py PROGRAM
"""
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import webuiapi

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LORA = os.path.join(ROOT, "models", "wrong-lora", "wrong.safetensors")
PROMPT = "red apple on a blue background"
LAST_SEED = 2**64 - 1
PATIENCE_S = 60


@contextlib.contextmanager
def studio(program, folder):
    """(port, token for programs) of a running studio with a library of its own"""
    library = os.path.join(folder, "library")
    started = subprocess.Popen([program, "studio", "--api", "--port", "0", "--library", library], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = started.stdout.readline()
        with open(os.path.join(library, "access.json"), encoding="utf-8") as f:
            yield int(address.split(":")[2].split("/")[0]), json.load(f)["tools_token"]
    finally:
        started.terminate()
        started.wait()
        started.stdout.close()


def client(port, token):
    return webuiapi.WebUIApi(port=port, sampler="DPM++ 2M Karras", steps=4, username="anyone", password=token)


def picture_of_program(program, folder, *options):
    out = os.path.join(folder, "alone.png")
    subprocess.run([program, "generate", "-p", PROMPT, "--steps", "4", "--sampler", "dpmpp_2m", "--schedule", "karras", "-W", "64", "-H", "64", *options, "-o", out, "-q"],
                   check=True, stdout=subprocess.DEVNULL)
    with open(out, "rb") as f:
        return f.read()


def pictures(api, **options):
    """(bytes of each picture, info)"""
    result = api.txt2img(width=64, height=64, **options)
    return [base64.b64decode(image) for image in result.json["images"]], result.info


def refusal(call):
    """status of the answer; 0: it was not refused"""
    try:
        call()
    except RuntimeError as error:
        return error.args[0]
    return 0


def drawn(program, folder, api):
    got, info = pictures(api, prompt=PROMPT, seed=3, restore_faces=True)
    yield "pictures that differ from the command line's", got != [picture_of_program(program, folder, "-s", "3")]
    yield "fields not done that go unnamed", "restore_faces" not in info["not_honoured"]
    got, info = pictures(api, prompt=PROMPT, seed=LAST_SEED - 3, n_iter=2, batch_size=2)
    yield "seeds of four up to 2^64 - 1 that differ", info["all_seeds"] != [LAST_SEED - 3 + i for i in range(4)]
    yield "the last of them, drawn alone, differs", got[3] != picture_of_program(program, folder, "-s", str(LAST_SEED))
    tagged, _ = pictures(api, prompt=PROMPT + " <lora:wrong:0.7>", seed=3)
    yield "pictures with <lora:wrong:0.7> that differ from --lora's", tagged != [picture_of_program(program, folder, "-s", "3", "--lora", LORA + ":0.7")]
    yield "LoRAs that are not there and are not refused", refusal(lambda: pictures(api, prompt="<lora:wrnog:1>")) != 400
    yield "samplers that are not there and are not refused", refusal(lambda: pictures(api, prompt=PROMPT, sampler_name="UniPC")) != 400
    said = api.png_info(webuiapi.webuiapi.Image.open(io.BytesIO(got[0])))
    yield "png_info without the picture's own words", said.info != info["infotexts"][0]


def listed(api):
    wanted = {
        "samplers": (api.util_get_sampler_names(), ["DPM++ 2M", "Euler", "Euler a", "Heun"]),
        "schedulers": (api.util_get_scheduler_names(), ["automatic", "ddim", "exponential", "karras", "sgm_uniform", "uniform"]),
        "models": (api.util_get_model_names(), ["emoji-xl"]),
        "LoRAs": ([lora["name"] for lora in api.get_loras()], ["wrong"]),
        "VAEs, upscalers, latent upscale modes": (api.get_sd_vae() + api.get_upscalers() + api.get_latent_upscale_modes(), []),
        "scripts": (api.get_scripts(), {"txt2img": [], "img2img": []}),
        "embeddings": (api.get_embeddings(), {"loaded": {}, "skipped": {}}),
    }
    for what, (got, expected) in wanted.items():
        yield f"lists that differ: {what}", got != expected


def set_up(api):
    options = api.get_options()
    api.set_options(options)
    yield "options that change when they are posted back", api.get_options() != options
    with contextlib.redirect_stdout(io.StringIO()):
        api.util_set_model("emoji")
    yield "models that are not set", api.util_get_current_model() != "emoji-xl"
    yield "a preview's interval that is not set", api.set_options({"show_progress_every_n_steps": 2}) or api.get_options()["show_progress_every_n_steps"] != 2
    yield "refreshes that fail", api.refresh_checkpoints() is not None


def watched(api):
    """A long request: it is seen to go on, with a preview, and is stopped."""
    status = []
    asked = threading.Thread(target=lambda: status.append(refusal(lambda: pictures(api, prompt=PROMPT, steps=1000))))
    asked.start()
    seen, until = {"progress": 0, "current_image": None}, time.time() + PATIENCE_S
    while not (seen["progress"] > 0 and seen["current_image"]) and time.time() < until and asked.is_alive():
        time.sleep(0.05)
        seen = api.get_progress()
    yield "requests whose progress is not seen", not (0 < seen["progress"] < 1 and seen["state"]["sampling_steps"] == 1000)
    yield "requests without a preview", not seen["current_image"]
    began = time.time()
    api.interrupt()
    asked.join()
    yield "interrupted requests that go on", status != [409] or time.time() - began > 5
    with contextlib.redirect_stdout(io.StringIO()):
        api.util_wait_for_ready(check_interval=0.05)


def rows(program, folder):
    """(case, what, measured, limit)"""
    os.environ["NO_PROXY"] = "127.0.0.1"
    with studio(program, folder) as (port, token):
        api = client(port, token)
        yield "webuiapi, requests with a wrong token that are let in", "faults", float(refusal(lambda: pictures(client(port, "x" * len(token)), prompt=PROMPT)) != 401), 0
        for part in (drawn(program, folder, api), listed(api), set_up(api), watched(api)):
            for what, differs in part:
                yield f"webuiapi, {what}", "faults", float(bool(differs)), 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        over = 0
        for what, _, measured, limit in rows(sys.argv[1], folder):
            over += measured > limit
            print(f"{'NO ' if measured > limit else 'ok '} {what}")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
