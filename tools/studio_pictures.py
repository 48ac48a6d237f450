"""Pictures of the studio's page for docs: every place at three widths in both themes, on a studio that somebody has used.

    studio_pictures.py [--program PATH] [--shots FOLDER]

Writes docs/pictures/studio/PLACE.webp, one sheet a place; the shots themselves, with those at 4K and at 200 % zoom and some of
faults, go to build/prove/studio_pictures, to be looked at.
"""
import argparse
import base64
import os
import tempfile

import prove_page
import studio_test
from PIL import Image

ROOT = studio_test.ROOT
OUT = os.path.join(ROOT, "docs", "pictures", "studio")
SHEET_HEIGHT, GAP = 540, 12  # px of each shot in a sheet
ALSO = {"4k": (3840, 2160), "zoom": (640, 450)}  # 200 % of a window of 1280 x 900
PROMPTS = ["fox on a white background", "red apple on a blue background", "owl on a teal background", "frog on a green background",
           "lion on a brown background", "castle on a pink background", "pizza on a red background", "panda on a purple background",
           "rainbow on a black background", "volcano on an orange background", "clown face on a green background", "cactus on a yellow background"]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 3


def post(seen, path, body):
    return seen.page.evaluate("""([path, body]) => fetch('/api/v1/' + path, {method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify(body)}).then(answer => answer.json())""", [path, body])


def job(seen, verb, options):
    made = post(seen, "jobs/" + verb, options)
    if "id" not in made:
        raise RuntimeError(f"{verb}: {made}")
    seen.wait_job()
    return made["id"]


def add_set(seen, name, folder, count):
    for picture in sorted(one for one in os.listdir(folder) if one.endswith(".png"))[:count]:
        with open(os.path.join(folder, picture), "rb") as f:
            seen.page.evaluate("""([set, name, bytes]) => fetch(`/api/v1/sets/${set}?name=${name}`, {method: 'POST', headers: {'Content-Type': 'application/octet-stream'},
              body: Uint8Array.from(atob(bytes), c => c.charCodeAt(0))})""", [name, picture, base64.b64encode(f.read()).decode()])


def use(seen):
    """A studio after an hour: pictures, a set with a LoRA of it, a comparison, an experiment, things left in forms."""
    for i, prompt in enumerate(PROMPTS * 3):
        job(seen, "generate", {"prompt": prompt, "steps": 25, "cfg_scale": 5, "seed": i})
    add_set(seen, "hedgehog", os.path.join(ROOT, "models", "sonk-hedgehog", "train"), 12)
    seen.page.evaluate("""fetch('/api/v1/sets/hedgehog').then(answer => answer.json()).then(set => Promise.all(set.pictures.slice(0, 8).map(one =>
      fetch(`/api/v1/sets/hedgehog/${one.file}/caption`, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({caption: 'sonk hedgehog on a plain background'})}))))""")
    job(seen, "train-lora", {"data": "files/sets/hedgehog", "prompt": "sonk hedgehog", "steps": 120, "out": "hedgehog.safetensors", "seed": 1,
                             "validation_prompt": "sonk hedgehog", "validate_every": 30, "checkpoint_every": 30})
    job(seen, "compare", {"prompt": "owl on a teal background", "arms": "nothing,word,article,neg-branch", "lora": ["bundled/wrong-lora/wrong.safetensors:1"], "steps": 15, "seeds": 2, "seed": 4})
    made = post(seen, "ask/experiment-rejects", {"data": "files/sets/hedgehog", "name": "rejects", "texts": "\n".join(PROMPTS[:6]), "replicates": 1, "steps": 8, "training_steps": 20})
    job(seen, "experiment-run", made["result"])
    post(seen, "drafts/generate", {"prompt": "a (red)1.3 fox, (leaf)0.6, sitting on a hill", "negative_prompt": "wrong", "lora": ["lora/hedgehog.safetensors:0.8:positive", "lora/hedgehog.safetensors:0.2:negative"]})


def shots(opened, studio, folder):
    for size in [*studio_test.SIZES, *ALSO]:
        for scheme in ("light", "dark"):
            seen = studio_test.Page(opened, studio, {**studio_test.SIZES, **ALSO}[size], scheme)
            for place in studio_test.PLACES:
                seen.go(place)
                seen.page.wait_for_timeout(900)
                seen.page.screenshot(path=os.path.join(folder, f"{place}-{size}-{scheme}.png"))
            seen.context.close()


def faults(opened, studio, folder):
    """Long words, an error at its setting, the viewer, the queue, several chosen."""
    for size in ("phone", "desk", "zoom"):
        seen = studio_test.Page(opened, studio, {**studio_test.SIZES, **ALSO}[size])
        page, shot = seen.page, lambda name: page.screenshot(path=os.path.join(folder, f"{name}-{size}.png"))
        page.fill("#box-prompt", LONG)
        page.locator("#view-draw summary").click()
        page.get_by_label("Width", exact=True).fill("513")
        page.wait_for_timeout(1500)
        page.locator("#view-draw").get_by_role("button", name="Draw", exact=True).click()
        page.wait_for_timeout(1500)
        shot("error")
        seen.go("gallery")
        page.locator(".grid .tile").nth(2).click()
        page.wait_for_selector("dialog.viewer[open]")
        page.wait_for_timeout(600)
        shot("viewer")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Select").click()
        for i in (0, 3):
            page.locator(".grid .tile").nth(i).click()
        page.wait_for_timeout(300)
        shot("selected")
        page.get_by_role("button", name="Done").click()
        page.locator("#open-queue").click()
        page.wait_for_timeout(400)
        shot("queue")
        seen.context.close()


def sheet(folder, place):
    rows = [[Image.open(os.path.join(folder, f"{place}-{size}-{scheme}.png")).convert("RGB") for size in studio_test.SIZES] for scheme in ("light", "dark")]
    scaled = [[one.resize((round(one.width * SHEET_HEIGHT / one.height), SHEET_HEIGHT), Image.LANCZOS) for one in row] for row in rows]
    width = sum(one.width for one in scaled[0]) + GAP * (len(scaled[0]) + 1)
    page = Image.new("RGB", (width, 2 * SHEET_HEIGHT + 3 * GAP), (128, 128, 126))
    for y, row in enumerate(scaled):
        x = GAP
        for one in row:
            page.paste(one, (x, GAP + y * (SHEET_HEIGHT + GAP)))
            x += one.width + GAP
    page.save(os.path.join(OUT, place + ".webp"), quality=55, method=6)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "negativa"))
    parser.add_argument("--shots", default=os.path.join(ROOT, "build", "prove", "studio_pictures"))
    args = parser.parse_args()
    for folder in (OUT, args.shots):
        os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as library, prove_page.browser() as opened:
        studio = studio_test.Studio(args.program, os.path.join(library, "library"))
        try:
            seen = studio_test.Page(opened, studio)
            use(seen)
            seen.context.close()
            shots(opened, studio, args.shots)
            faults(opened, studio, args.shots)
        finally:
            studio.end()
    for place in studio_test.PLACES:
        sheet(args.shots, place)
        print(os.path.join(OUT, place + ".webp"), os.path.getsize(os.path.join(OUT, place + ".webp")))


if __name__ == "__main__":
    main()
