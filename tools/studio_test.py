"""The studio's page in the system's Chromium, as a person uses it: draw, cancel, drop a picture, train, compare, merge, delete and
restore, a restart in the middle; widths, themes, keyboard, axe, hostile texts, 20,000 pictures; and in Firefox, where there is one.

    studio_test.py [--program PATH] [--write-names]

--write-names keeps the names of the page's controls as tests/golden/studio_controls.txt. Screenshots: build/prove/studio.
"""
import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import time
import urllib.parse
import zlib

import prove_page
import studio_firefox
import studio_program

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = os.path.join(ROOT, "tests", "golden", "studio_controls.txt")
SHOTS = os.path.join(ROOT, "build", "prove", "studio")
PLACES = ["draw", "gallery", "compare", "train", "loras", "experiments"]
SIZES = {"phone": (390, 844), "desk": (1280, 900), "wide": (2560, 1440)}
HOSTILE = "<img src=x onerror=alert(1)>\u202e</script><b>\"'&"
MANY = 20000
PAINT_S, TASK_S, FIRST_PICTURE_S = 0.5, 0.1, 10.0
# What takes long in the page, measured by the browser; the test reads it where nothing else of its own runs. The report of a run, in a
# frame, is a page by itself, which prove_page.py measures.
WATCH = """window.longest = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) if (one.name !== 'same-origin-descendant') longest = Math.max(longest, one.duration); }).observe({type: 'longtask', buffered: true});"""
CONTROLS = """[...document.querySelectorAll('#bar a, #bar button, .view:not([hidden]) :is(button, input, select, textarea, a, summary)')]
  .filter(one => one.type !== 'file' && !one.closest('[hidden]') && one.getAttribute('aria-hidden') !== 'true' && (one.checkVisibility() || one.closest('details:not([open])')))
  .map(one => one.tagName.toLowerCase() + ' ' + (one.getAttribute('aria-label') || [...(one.labels ?? [])].map(l => l.textContent).join(' ') || one.textContent || '').trim())"""


class Studio(studio_program.Served):
    def __init__(self, program, library):
        environment = {**os.environ, "XDG_CACHE_HOME": library + "-cache", "NEGATIVA_MODELS": library + "-models"}
        super().__init__([program, "studio", "--library", library], env=environment)


class Page:
    """A page of the studio with everything that it said and should not have."""

    def __init__(self, opened, studio, size="desk", scheme="light"):
        width, height = SIZES.get(size, size)  # a name of SIZES, or width and height
        self.studio, self.said, self.silent, self.job = studio, [], False, 0
        self.context = opened.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.page.add_init_script(WATCH)
        for event, text in (("console", lambda m: m.text), ("pageerror", str)):
            self.page.on(event, lambda what, text=text: self.say(text(what)))
        self.page.on("dialog", lambda dialog: (self.say("dialog: " + dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: None if urllib.parse.urlparse(request.url).port == studio.port or request.url.startswith("blob:") else self.say("asks elsewhere: " + request.url))
        self.page.goto(studio.url)
        self.page.wait_for_selector("#view-draw form")

    def say(self, text):
        if not self.silent:
            self.said.append(text)
            print("the page says:", text[:300], file=sys.stderr)

    def go(self, place):
        self.page.evaluate("place => { location.hash = '#/' + place; }", place)
        self.page.wait_for_selector(f"#view-{place}:not([hidden])")
        self.page.wait_for_timeout(600)

    def ask(self, path):
        return self.page.evaluate("path => fetch('/api/v1/' + path).then(answer => answer.json())", path)

    def until(self, expression, what, seconds=60):
        """Whether it came true; how long it took."""
        start = time.time()  # asked again and again from here: wait_for_function would need unsafe-eval
        while time.time() - start < seconds:
            if self.page.evaluate(expression):
                return time.time() - start
            self.page.wait_for_timeout(100)
        print(f"not within {seconds} s: {what}", file=sys.stderr)
        return float("inf")

    def number(self, place, name):
        """The box of a number in the form of a place."""
        return self.page.locator(f"#view-{place} [data-name={name}] input[type=number]").first

    def wait_job(self, state="done"):
        """Waits for a job after the last one that was waited for, and for its end; 0 when it ended as wanted."""
        for _ in range(1200):
            job = self.ask("jobs?limit=1")["jobs"][0]
            if job["id"] > self.job and job["ended_ms"]:
                break
            self.page.wait_for_timeout(100)
        self.job = job["id"]
        if job["state"] != state:
            print(f"job {job['id']}: {job['state']}, {job['error']}", file=sys.stderr)
        return float(job["state"] != state)


def first_run(seen):
    paint = seen.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 1e9") / 1000
    yield "first run", "seconds to the first paint", paint, PAINT_S
    yield "first run", "the toy model is called one", float("toy model" not in seen.page.inner_text("#view-draw .welcome")), 0
    start = time.time()
    seen.page.get_by_role("button", name="Draw a first picture").click()
    seen.until("document.querySelectorAll('.strip .tile').length > 0", "a first picture")
    yield "first run", "seconds to the first picture", time.time() - start, FIRST_PICTURE_S
    yield "first run", "the drawing failed", seen.wait_job(), 0


def draws(seen):
    page = seen.page
    page.fill("#box-prompt", "a (red)1.4 apple, (leaf)0.6")
    seen.until("document.querySelectorAll('.backdrop .up-2, .backdrop .down-2').length === 2", "weights in colour")
    yield "draw", "weights in colour", 2.0 - page.evaluate("document.querySelectorAll('.backdrop .up-2, .backdrop .down-2').length"), 0
    seen.number("draw", "steps").fill("8")
    page.keyboard.press("Control+Enter")
    yield "draw", "the drawing failed", seen.wait_job(), 0
    recipe = json.loads({one["key"]: one["text"] for one in seen.ask("pictures/" + seen.ask("pictures?limit=1")["pictures"][0]["name"] + "/text")}["negativa"])
    yield "draw", "what the form shows was not drawn", float(recipe["settings"]["steps"] != 8 or recipe["settings"]["prompt"] != "a (red)1.4 apple, (leaf)0.6"), 0
    page.fill("#box-prompt", "word " * 100)
    yield "draw", "seconds until what is cut is struck through", seen.until("document.querySelector('#view-draw .backdrop s')?.textContent.length > 50", "what is cut"), 10
    page.fill("#box-prompt", "a lion")
    seen.number("draw", "steps").fill("1000")
    page.locator("#view-draw").get_by_role("button", name="Draw", exact=True).click()
    seen.until("document.querySelector('.stage .state').textContent.includes('of 1000')", "a running drawing")
    page.locator("#view-draw").get_by_role("button", name="Stop", exact=True).click()
    yield "cancel", "the drawing went on", seen.wait_job("cancelled"), 0
    page.reload()
    page.wait_for_selector("#view-draw form")
    yield "draft", "a form that a reload emptied", float(seen.until("document.getElementById('box-prompt').value === 'a lion'", "the draft", 10) == float("inf")), 0


def drops(seen):
    """A picture of ours brings its settings."""
    name = seen.ask("pictures?limit=1")["pictures"][0]["name"]
    seen.page.evaluate("""async name => {
      const bytes = await (await fetch('/api/v1/pictures/' + name + '/image')).blob(), data = new DataTransfer();
      data.items.add(new File([bytes], 'dropped.png', {type: 'image/png'}));
      document.getElementById('view-draw').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
    }""", name)
    yield "drop a PNG", "seconds until its settings are there", seen.until("document.querySelector('#view-draw [data-name=steps] input[type=number]').value === '8'", "settings of the PNG", 10), 10


WEBUI = ("a (red:1.3) fox <lora:gone:0.8>, " + HOSTILE + "\nNegative prompt: [ugly]\nSteps: 9, Sampler: Euler a, Schedule type: Karras, "
         "CFG scale: 4, Seed: 18446744073709551615, Size: 64x64, Model: emoji-xl, Hires upscale: 2, " + HOSTILE.replace(":", "") + ": \"x, y\"")
COMFY = {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 7, "cfg": 3, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
               "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
         "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "emoji-xl.safetensors"}},
         "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
         "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "an (owl:1.2)", "clip": ["4", 1]}},
         "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
         "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
         "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}}}
DROP = """([bytes, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, {type: 'image/png'}));
  document.getElementById('view-draw').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def png_with(key, text):
    """A PNG of one pixel with that text, as other programs write it."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + chunk(b"iTXt", key.encode() + b"\0\0\0\0\0" + text.encode()) +
            chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b""))


def drops_of_others(seen):
    """Pictures of the webui and of ComfyUI bring what means something here, and a list of what does not."""
    page, told = seen.page, "#view-draw .taken"

    def drop(key, text, name):
        page.evaluate(DROP, [base64.b64encode(png_with(key, text)).decode(), name])

    drop("parameters", WEBUI, "webui.png")
    page.wait_for_selector(told + " li")
    got = [page.input_value("#box-prompt")[:17], page.input_value("#box-negative_prompt"), seen.number("draw", "steps").input_value(), page.input_value("#seed")]
    yield "drop a PNG of the webui", "settings that are not its", float(got != ["a (red)1.3 fox , ", "(ugly)0.909091", "9", "18446744073709551615"]), 0
    lines = page.inner_text(told)
    yield "drop a PNG of the webui", "lines that are missing", float(sum(part not in lines for part in ("Hires upscale: 2", "LoRA: gone", "RNG: GPU", "img src=x"))), 0
    yield "drop a PNG of the webui", "texts that became markup", page.evaluate("document.querySelectorAll('.taken img, .taken b').length"), 0
    drop("prompt", json.dumps(COMFY), "comfy.png")
    seen.until("document.getElementById('box-prompt').value === 'an (owl)1.2'", "the prompt of ComfyUI's graph", 10)
    got = [page.input_value("#box-prompt"), seen.number("draw", "steps").input_value(), page.input_value("#seed")]
    yield "drop a PNG of ComfyUI", "settings that are not its", float(got != ["an (owl)1.2", "7", "5"]), 0
    drop("prompt", json.dumps({**COMFY, "9": {"class_type": "SaveImage", "inputs": {"images": ["77", 0]}}}), "strange.png")
    seen.until("document.querySelector('.taken').textContent.includes('No settings found in strange.png')", "the refusal", 10)
    yield "drop a PNG of ComfyUI", "an uncertain graph that changed the form", float(page.input_value("#box-prompt") != "an (owl)1.2"), 0
    page.get_by_role("button", name="Close this list").click()


def types_early(opened, studio):
    """What is typed while the draft is still on its way stays."""
    seen = Page(opened, studio)
    page = seen.page
    page.evaluate("fetch('/api/v1/drafts/generate', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({prompt: 'from the draft', steps: 11})})")
    held = []
    page.route("**/api/v1/drafts/generate", lambda route: held.append(route) if route.request.method == "GET" else route.continue_())
    page.reload()
    page.wait_for_selector("#box-prompt")
    page.locator("#box-prompt").press_sequentially("typed early", delay=10)
    page.wait_for_timeout(1000)  # longer than a draft waits before it is kept
    held[0].continue_()
    seen.until("document.querySelector('#view-draw [data-name=steps] input[type=number]').value === '11'", "the rest of the draft", 10)
    yield "draft", "that overwrote what was typed", float(page.input_value("#box-prompt") != "typed early"), 0
    yield "draft", "that took the keyboard away", float(page.evaluate("document.activeElement.id") != "box-prompt"), 0
    page.wait_for_timeout(700)
    page.unroute("**/api/v1/drafts/generate")
    kept = seen.ask("drafts/generate")["draft"]
    yield "draft", "that was not kept whole", float((kept.get("prompt"), kept.get("steps")) != ("typed early", 11)), 0
    seen.context.close()


def newcomer(seen):
    """Pictures that are dropped before anything else was said: they name their set, and their captions are taken."""
    page, folder = seen.page, os.path.join(ROOT, "models", "sonk-hedgehog", "train")
    seen.go("train")
    page.set_input_files(".set-panel input[type=file]", sorted(os.path.join(folder, one) for one in os.listdir(folder)))
    seen.until("document.querySelector('#view-train [data-name=captions] input').checked", "the captions taken", 20)
    yield "newcomer", "pictures without a set's name that were refused", float(page.input_value("#set-name") != "set-1"), 0
    yield "newcomer", "captions that were not taken", float("10 pictures, all with captions" not in page.inner_text(".set-panel")), 0
    page.get_by_role("button", name="A subject").click()
    seen.until("document.getElementById('train-forecast').textContent.includes('memory')", "memory and time", 20)
    yield "newcomer", "a preset that the toy model does not learn from", float(seen.number("train", "learning_rate").input_value() != "0.001"), 0
    yield "newcomer", "no picture to draw along the way", float("sonk hedgehog" not in page.locator("#view-train [data-name=validation_prompt] input").input_value()), 0
    page.locator("#view-train [data-name=captions] input").uncheck()
    page.locator("#view-train [data-name=validation_prompt] input").fill("")


def trains(seen, folder):
    page = seen.page
    seen.go("train")
    page.fill("#set-name", "apples")
    page.press("#set-name", "Tab")
    files = []
    for i, picture in enumerate(sorted(os.listdir(os.path.join(ROOT, "models", "emoji-xl", "reference")))[:3]):
        files.append(shutil.copy(os.path.join(ROOT, "models", "emoji-xl", "reference", picture), os.path.join(folder, f"{i}.png")))
    with open(os.path.join(folder, "1.txt"), "w", encoding="utf-8") as f:
        f.write(HOSTILE)
    page.set_input_files(".set-panel input[type=file]", [*files, f.name])
    seen.until("document.querySelector('.set-panel').textContent.includes('1 with captions, 2 without')", "captions bound to their pictures")
    yield "train", "captions not bound to their pictures", float("1 with captions, 2 without" not in page.inner_text(".set-panel")), 0
    page.locator(".set textarea").first.fill("an apple")
    seen.until("document.querySelector('.set-panel').textContent.includes('2 with captions, 1 without')", "a caption edited in place")
    page.locator("#view-train [data-name=prompt] input").fill("wrong")
    seen.number("train", "steps").fill("20")
    page.fill("#train-name", "apples")
    seen.until("document.getElementById('train-forecast').textContent.includes('memory')", "memory and time before the start")
    yield "train", "no memory and time before the start", float("memory" not in page.inner_text("#train-forecast")), 0
    page.get_by_role("button", name="Start training").click()
    yield "train", "the training failed", seen.wait_job(), 0
    seen.until("document.querySelector('.run .curve .loss')", "a curve")
    yield "train", "no curve", 1.0 - page.evaluate("document.querySelectorAll('.run .curve .loss').length"), 0
    page.get_by_role("button", name="Draw with it now").click()
    seen.until("location.hash === '#/draw' && document.querySelector('.lora-row select')?.value.includes('apples')", "the LoRA in the form")
    yield "train", "draw with it now", float("apples" not in page.locator(".lora-row select").first.input_value()), 0


def compares(seen):
    page = seen.page
    seen.go("compare")
    page.fill("#box-compare-prompt", "a fox")
    view = page.locator("#view-compare")
    view.get_by_role("button", name="Add a LoRA").click()
    view.get_by_role("button", name="The article's").click()
    view.locator("[data-name=seeds] input").fill("1")
    view.locator("[data-name=steps] input[type=number]").fill("3")
    view.get_by_role("button", name="Compare", exact=True).click()
    yield "compare", "the comparison failed", seen.wait_job(), 0
    yield "compare", "seconds until the sheet is shown", seen.until("document.querySelector('.sheets img')", "the sheet", 10), 10


def merges(seen):
    page = seen.page
    seen.go("loras")
    form = page.get_by_role("form", name="Merge LoRAs")
    for _ in range(2):
        form.get_by_role("button", name="Add a LoRA").click()
    form.get_by_role("button", name="Show how they interfere").click()
    yield "merge", "seconds until the matrix is shown", seen.until("document.querySelector('.answer .heat td')", "the matrix", 30), 30
    form.get_by_role("button", name="Merge", exact=True).click()
    yield "merge", "the merge failed", seen.wait_job(), 0


def deletes(seen):
    page = seen.page
    before = seen.ask("pictures")["total"]
    total = "fetch('/api/v1/pictures?limit=1').then(answer => answer.json()).then(answer => answer.total"
    seen.go("gallery")
    page.locator(".grid .tile").first.click()
    page.wait_for_selector("dialog.viewer[open]")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="To the trash").click()
    seen.until(f"{total} === {before - 1})", "a picture in the trash", 10)
    yield "delete", "pictures that stayed", float(seen.ask("pictures")["total"] - (before - 1)), 0
    page.keyboard.press("Escape")
    page.check("#in-trash")
    seen.until("document.querySelector('#view-gallery .muted').textContent === '1 picture'", "the trash")
    page.locator(".grid .tile").first.click()
    page.get_by_role("button", name="Restore").click()
    seen.until(f"{total} === {before})", "the picture again", 10)
    page.uncheck("#in-trash")
    yield "restore", "pictures that are missing", float(before - seen.ask("pictures")["total"]), 0


def deletes_many(seen, opened):
    """Several at once into the trash and back: by keyboard, then by a finger."""
    page = seen.page
    for i in range(4):
        page.evaluate("seed => fetch('/api/v1/jobs/generate', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({prompt: 'many', steps: 1, seed})})", i)
        seen.wait_job()
    seen.go("gallery")
    seen.until("document.querySelectorAll('.grid .tile').length > 4", "the pictures", 10)
    before, total = seen.ask("pictures")["total"], "fetch('/api/v1/pictures?limit=1').then(answer => answer.json()).then(answer => answer.total"
    page.locator(".grid .tile").first.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    seen.until("document.querySelector('.choice').textContent.includes('3 pictures selected')", "three chosen", 10)
    page.keyboard.press("Delete")
    seen.until(f"{total} === {before - 3})", "three in the trash", 10)
    yield "several at once", "that the keyboard left", float(seen.ask("pictures")["total"] - (before - 3)), 0
    page.get_by_role("button", name="Undo").click()
    seen.until(f"{total} === {before})", "three restored", 10)
    yield "several at once", "that Undo did not bring back", float(before - seen.ask("pictures")["total"]), 0
    page.get_by_role("button", name="Done").click()

    context = opened.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone = context.new_page()
    phone.goto(seen.studio.url)
    phone.evaluate("location.hash = '#/gallery'")
    phone.wait_for_selector(".grid .tile")
    box, touch = phone.locator(".grid .tile").first.bounding_box(), context.new_cdp_session(phone)
    at = [{"x": box["x"] + 20, "y": box["y"] + 20}]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    phone.wait_for_timeout(700)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.locator(".grid .tile").nth(1).tap()
    phone.wait_for_timeout(200)
    yield "several at once", "that fingers did not choose", float("2 pictures selected" not in phone.inner_text(".choice")), 0
    phone.get_by_role("button", name="To the trash").tap()
    seen.until(f"{total} === {before - 2})", "two in the trash", 10)
    phone.locator("#in-trash").check()
    phone.wait_for_timeout(600)
    phone.get_by_role("button", name="Select").tap()
    for i in range(2):
        phone.locator(".grid .tile").nth(i).tap()
    phone.get_by_role("button", name="Restore").tap()
    seen.until(f"{total} === {before})", "two restored", 10)
    yield "several at once", "that are missing", float(before - seen.ask("pictures")["total"]), 0
    yield "sliders", "that a scrolling finger moved", scrolled_slider(phone, touch), 0
    context.close()


def scrolled_slider(phone, touch):
    """How far a slider went under a finger that scrolls the page."""
    phone.evaluate("location.hash = '#/draw'")
    slider = phone.locator("#view-draw [data-name=steps] input[type=range]")
    slider.scroll_into_view_if_needed()
    phone.evaluate("scrollBy(0, 200)")
    phone.wait_for_timeout(300)
    box, before, top = slider.bounding_box(), slider.input_value(), phone.evaluate("scrollY")
    x, y = box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for i in range(1, 30):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + i * 6}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    phone.wait_for_timeout(300)
    if phone.evaluate("scrollY") == top:
        return float("inf")  # the finger did not scroll: nothing was tried
    return abs(float(slider.input_value()) - float(before))


def rejects(seen):
    """The stock experiment on what the gallery has with one star."""
    page = seen.page
    page.evaluate("""fetch('/api/v1/pictures?limit=3').then(answer => answer.json()).then(({pictures}) => Promise.all(pictures.map(one =>
      fetch(`/api/v1/pictures/${one.name}/rating`, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({rating: 1})}))))""")
    seen.go("experiments")
    form = page.get_by_role("form", name="An experiment on your own rejects")
    form.get_by_role("button", name="Run on these").click()
    yield "rejects", "a start without pictures that is not refused", float("Choose the rejects first" not in form.inner_text()), 0
    form.get_by_role("button", name="Take those with one star").click()
    seen.until("document.getElementById('rejects-data').value === 'files/sets/rejects'", "the set of rejects", 20)
    form.locator("summary").click()
    form.get_by_label("Prompts to draw", exact=True).fill("frog on a teal background\npizza on a red background")
    for name, value in (("replicates", 1), ("steps", 2), ("training_steps", 2)):
        form.locator(f"[data-name={name}] input[type=number]").fill(str(value))
    seen.until("document.getElementById('rejects-forecast').textContent.includes('arms')", "the forecast", 20)
    yield "rejects", "arms that the forecast does not tell of", float("16 arms" not in page.inner_text("#rejects-forecast")), 0
    form.get_by_role("button", name="Run on these").click()
    yield "rejects", "the run failed", seen.wait_job(), 0
    yield "rejects", "seconds until its report is shown", seen.until("document.querySelector('iframe.report')?.src.includes('/runs/rejects/')", "the report", 30), 30


def restarts(seen):
    """Killed while it draws, the studio is there again: the same page shows the picture."""
    page = seen.page
    before = seen.ask("pictures")["total"]
    page.evaluate("""fetch('/api/v1/jobs/generate', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({prompt: 'a frog', steps: 30, seed: 5})})""")
    page.wait_for_timeout(400)
    seen.silent = True  # the browser says that the connection is refused
    seen.studio.end(signal.SIGKILL)
    page.wait_for_timeout(500)
    seen.studio.start()
    took = seen.until(f"fetch('/api/v1/pictures?limit=1').then(answer => answer.json()).then(answer => answer.total > {before}).catch(() => false)", "the picture after the restart")
    seen.wait_job()
    page.wait_for_timeout(1000)
    seen.silent = False
    yield "restart", "seconds until the picture is there", took, 60
    seen.go("draw")
    yield "restart", "the page shows it not", float(seen.until("document.querySelector('.frame img')?.alt === 'a frog'", "the picture in the page", 20) == float("inf")), 0


def tabs(seen):
    """A second tab hears of everything through the first: one stream of events a browser."""
    streams, other = [], seen.context.new_page()
    other.on("request", lambda request: streams.append(request.url) if request.url.endswith("/api/v1/events") else None)
    other.goto(seen.studio.url)
    other.wait_for_selector("#view-draw form")
    seen.page.evaluate("""fetch('/api/v1/jobs/generate', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({prompt: 'an owl', steps: 2, seed: 6})})""")
    failed, start = seen.wait_job(), time.time()
    while other.evaluate("document.querySelector('.frame img')?.alt") != "an owl" and time.time() - start < 20:
        other.wait_for_timeout(100)
    yield "two tabs", "that do not both show the picture", failed + float(other.evaluate("document.querySelector('.frame img')?.alt") != "an owl"), 0
    yield "two tabs", "streams beside the first", float(len(streams)), 0
    other.close()


def inert(seen):
    page = seen.page
    seen.go("draw")
    page.fill("#box-prompt", HOSTILE)
    seen.number("draw", "steps").fill("1")
    page.locator("#view-draw").get_by_role("button", name="Draw", exact=True).click()
    failed = seen.wait_job()
    for place in PLACES:
        seen.go(place)
    page.get_by_role("button", name=re.compile("^Queue")).click()
    page.wait_for_timeout(300)
    yield "hostile texts", "that became markup", failed + page.evaluate("document.querySelectorAll('img[src=x], #main b, #queue b').length"), 0
    page.keyboard.press("Escape")


def names_of(seen):
    lines = []
    for place in PLACES:
        seen.go(place)
        lines += [f"[{place}]", *dict.fromkeys(re.sub(r"\s+", " ", line) for line in seen.page.evaluate(CONTROLS))]
    return lines


def names(seen, write):
    got = names_of(seen)
    yield "controls", "without a name", float(sum(line.strip() in ("button", "input", "select", "textarea", "a", "summary") for line in got)), 0
    if write:
        with open(NAMES, "w", encoding="utf-8") as f:
            f.write("\n".join(got) + "\n")
    with open(NAMES, encoding="utf-8") as f:
        expected = f.read().splitlines()
    changed = sorted(set(got) ^ set(expected))
    for line in changed[:20]:
        print("control that is new or gone:", line, file=sys.stderr)
    yield "controls", "that are new or gone", float(len(changed)), 0


def looks(opened, studio):
    os.makedirs(SHOTS, exist_ok=True)
    for size in SIZES:
        for scheme in ("light", "dark"):
            seen = Page(opened, studio, size, scheme)
            for place in PLACES:
                seen.go(place)
                seen.page.wait_for_timeout(400)
                seen.page.screenshot(path=os.path.join(SHOTS, f"{place}-{size}-{scheme}.png"))
                case = f"{place}, {size}, {scheme}"
                yield case, "pixels wider than the window", float(max(0, seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))), 0
                if size != "wide":
                    yield case, "serious faults that axe finds", axe_faults(seen.page, case), 0
            yield f"{size}, {scheme}", "messages", float(len(seen.said)), 0
            seen.context.close()
    yield from looks_unusual(opened, studio)


def looks_unusual(opened, studio):
    """At 200 % zoom of a desk's window, and at 4K; a picture by itself where it is small."""
    for what, size in (("zoom 200 %", (640, 450)), ("4K", (3840, 2160))):
        seen = Page(opened, studio, size)
        for place in PLACES:
            seen.go(place)
            yield f"{place}, {what}", "pixels wider than the window", float(max(0, seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))), 0
        seen.context.close()
    for what, size in (("phone", "phone"), ("zoom 200 %", (640, 450))):
        seen = Page(opened, studio, size)
        seen.go("gallery")
        seen.page.locator(".grid .tile").first.click()
        seen.page.wait_for_selector("dialog.viewer[open] .canvas img")
        seen.page.wait_for_timeout(500)
        over = seen.page.evaluate("document.querySelector('.canvas img').getBoundingClientRect().bottom - document.querySelector('.about').getBoundingClientRect().top")
        yield f"a picture, {what}", "pixels that lie over what is said of it", float(max(0, over)), 0
        seen.context.close()


def axe_faults(page, where):
    # The browser refuses the page scripts from elsewhere, so axe goes in by the debugger.
    page.evaluate(prove_page.axe_source() + "; window.axe = axe; undefined")
    faults = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes[0].html.slice(0, 200)))")
    for fault in faults:
        print(f"axe, {where}: {fault}", file=sys.stderr)
    return float(len(faults))


def many(opened, studio):
    """20,000 pictures, as the gallery's address would list them."""
    seen = Page(opened, studio)
    one = seen.ask("pictures?limit=1")["pictures"][0]

    def listed(route):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(route.request.url).query))
        first, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        route.fulfill(json={"total": MANY, "pictures": [{**one, "prompt": f"picture {i}"} for i in range(first, min(MANY, first + limit))]})

    seen.page.route("**/api/v1/pictures?*", listed)
    seen.go("gallery")
    seen.page.evaluate("longest = 0")
    for part in range(1, 11):
        seen.page.evaluate(f"scrollTo(0, document.documentElement.scrollHeight * {part / 10})")
        seen.page.wait_for_timeout(150)
    seen.until("document.querySelector('.grid .tile:last-child')?.title === 'picture 19999'", "the last picture", 10)
    yield f"{MANY} pictures", "the last one is not reached", float(seen.page.evaluate("document.querySelector('.grid .tile:last-child')?.title") != "picture 19999"), 0
    yield f"{MANY} pictures", "in the document at once", float(seen.page.evaluate("document.querySelectorAll('.grid .tile').length")), 200
    yield f"{MANY} pictures", "seconds of the longest task", seen.page.evaluate("longest") / 1000, TASK_S
    seen.context.close()


def checks(program, write_names=False):
    with tempfile.TemporaryDirectory() as folder, prove_page.browser() as opened:
        studio = Studio(program, os.path.join(folder, "library"))
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: studio.end())
            seen = Page(opened, studio)
            yield from names(seen, write_names)
            seen.go("draw")
            for part in (first_run, draws, drops, drops_of_others):
                yield from part(seen)
            yield from newcomer(seen)
            yield from trains(seen, folder)
            for part in (compares, merges, deletes):
                yield from part(seen)
            yield from deletes_many(seen, opened)
            for part in (rejects, restarts, tabs, inert):
                yield from part(seen)
            yield "page", "seconds of the longest task", seen.page.evaluate("longest") / 1000, TASK_S
            yield "page", "messages, errors, dialogs, requests to elsewhere", float(len(seen.said)), 0
            seen.context.close()
            yield from types_early(opened, studio)
            yield from looks(opened, studio)
            yield from many(opened, studio)
            yield from studio_firefox.checks(studio.url, PLACES, SHOTS)


def rows(program, _folder):
    """(case, what, measured, limit), for prove.py"""
    if not prove_page.chromium():
        yield "studio", "chromium is not here; as root, run: apt-get install chromium", float("inf"), 0
        return
    for case, what, measured, limit in checks(program):
        yield "studio, " + case, what, measured, limit


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "negativa"))
    parser.add_argument("--write-names", action="store_true")
    args = parser.parse_args()
    over = 0
    for case, what, measured, limit in checks(args.program, args.write_names):
        over += measured > limit
        print(f"{'ok ' if measured <= limit else 'NO '} {case}: {what} {measured:.4g} (at most {limit:.4g})", flush=True)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
