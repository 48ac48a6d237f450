"""An experiment's page in the system's Chromium: widths, themes, print, keyboard, axe, hostile prompts, and a page of 15,000 pictures.

    prove_page.py RUN [SCREENSHOTS]      the same for a run folder that is there already

Screenshots go to build/prove/report unless another folder is given.
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import psutil
from playwright.sync_api import sync_playwright

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WIDTHS = {"desktop": (1360, 900), "tablet": (820, 1100), "phone": (390, 844)}
MANY = 15000
USABLE_S, MOST_BYTES, MOST_MEMORY = 3.0, 25e6, 600 * 2**20
DATA = re.compile(r'(<script type="application/json" id="run-data">)(.*?)(</script>)', re.DOTALL)
HOSTILE = ["</script><img src=x onerror=alert(1)><script>alert(2)</script>", "\u202eتفاحة حمراء على خلفية زرقاء", "青い背景の赤いリンゴ、とても詳細な写真", "W" * 400,
           "red apple on a blue background", "frog on a teal background"]
TOML = """
seed = 5
[default]
steps = 3
[prompts]
test = [%s]
[sets.wrong]
keywords = ["blurry"]
cfg_scale = [4]
caption = "wrong"
[loras.wrong]
set = "wrong"
steps = 2
[arms.nothing]
[arms.word]
negative_prompt = "</script><b onclick=alert(3)>wrong"
[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]
[sweeps.cfg]
arms = ["nothing", "article"]
cfg_scale = [6]
[analysis]
primary = "article - nothing"
secondary = ["article - word"]
"""


def chromium():
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def axe_source():
    import axe_playwright_python
    return open(os.path.join(os.path.dirname(axe_playwright_python.__file__), "axe.min.js")).read()


@contextlib.contextmanager
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


class Watched:
    """A page with what it said, asked for and failed to show."""

    def __init__(self, opened, file, width="desktop", scheme="light"):
        size = WIDTHS[width]
        self.context = opened.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        self.context.set_default_timeout(120_000)  # a machine may have other work
        self.page = self.context.new_page()
        self.said, self.elsewhere = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("dialog: " + dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else self.elsewhere.append(request.url))
        self.page.on("requestfailed", lambda request: self.said.append("not loaded: " + request.url[:200]))
        self.page.goto("file://" + os.path.abspath(file))
        self.page.wait_for_selector("#grid table")


def axe_faults(page, where):
    page.evaluate(axe_source())
    faults = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes[0].html.slice(0, 200)))")
    for fault in faults:
        print(f"axe, {where}: {fault}", file=sys.stderr)
    return float(len(faults))


def looks(opened, file, shots):
    """Every width and theme: messages, what sticks out, screenshots of the top and of the grid."""
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            seen = Watched(opened, file, width, scheme)
            case = f"page, {width}, {scheme}"
            seen.page.screenshot(path=os.path.join(shots, f"{width}-{scheme}.png"))
            for part in ("pictures", "comparisons", "sweeps"):
                seen.page.locator(f"#{part}").scroll_into_view_if_needed()
                seen.page.evaluate(f"document.getElementById('{part}').scrollIntoView()")
                seen.page.wait_for_timeout(150)
                seen.page.screenshot(path=os.path.join(shots, f"{width}-{scheme}-{part}.png"))
            if (width, scheme) == ("desktop", "light"):
                seen.page.locator("#comparisons figure").screenshot(path=os.path.join(shots, "forest.png"))
            yield case, "messages, errors, dialogs", float(len(seen.said)), 0
            yield case, "requests to elsewhere", float(len(seen.elsewhere)), 0
            yield case, "pixels wider than the window", float(max(0, seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))), 0
            shown = "[...document.images].filter(i => i.complete)"
            yield case, "pictures that do not show", float(seen.page.evaluate(f"{shown}.filter(i => i.naturalWidth === 0).length")), 0
            yield case, "serious faults that axe finds", axe_faults(seen.page, f"{width}, {scheme}"), 0
            seen.context.close()


def inert(opened, file):
    """Hostile prompts are text: no element of theirs, and they stand in the grid letter by letter."""
    seen = Watched(opened, file)
    elements = seen.page.evaluate("document.querySelectorAll('img[src=x], [onerror], b').length + document.scripts.length - 2")
    yield "page, hostile prompts", "elements that they made", float(elements), 0
    texts = seen.page.evaluate("[...document.querySelectorAll('#grid tbody th bdi')].map(e => e.textContent)")
    yield "page, hostile prompts", "that do not stand there as written", float(sum(text not in texts for text in HOSTILE)), 0
    seen.context.close()


def by_keyboard(opened, file, shots):
    """From the page's top to a picture, its slider and back, without a pointer. 0: every step did what it should."""
    seen = Watched(opened, file)
    page, failed = seen.page, []
    focus = lambda: page.evaluate("document.activeElement.className + ' ' + document.activeElement.id")

    def step(what, ok):
        if not ok:
            failed.append(what)
            print(f"keyboard: {what}", file=sys.stderr)
    page.keyboard.press("Tab")
    step("the first stop is the way to the verdict", "skip" in focus())
    page.keyboard.press("Enter")
    step("it leads there", page.evaluate("location.hash") == "#verdict")
    for _ in range(400):
        page.keyboard.press("Tab")
        if focus().startswith("cell"):
            break
    step("a picture is reached", focus().startswith("cell"))
    page.keyboard.press("Enter")
    step("it opens", page.evaluate("document.getElementById('picture').open"))
    step("axe finds no serious fault in it", axe_faults(page, "picture") == 0)
    for _ in range(30):
        if focus().strip() == "slider":
            break
        page.keyboard.press("Tab")
    before = page.evaluate("document.querySelector('#pair img + img').style.clipPath")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(100)
    page.screenshot(path=os.path.join(shots, "picture.png"))
    step("the slider moves", page.evaluate("document.querySelector('#pair img + img').style.clipPath") != before)
    page.keyboard.press("Escape")
    step("it closes and the picture has the focus again", not page.evaluate("document.getElementById('picture').open") and focus().startswith("cell"))
    pin = page.locator("#grid thead button[aria-pressed=false]").first
    pin.focus()
    page.keyboard.press("Space")
    step("an arm is pinned", page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true")
    columns = page.evaluate("document.querySelectorAll('#grid thead th').length")
    page.locator("#grid thead button[aria-label^=Hide]").last.focus()
    page.keyboard.press("Space")
    step("an arm is hidden", page.evaluate("document.querySelectorAll('#grid thead th').length") == columns - 1)
    step("nothing was said", not seen.said)
    yield "page, by keyboard", "steps that failed", float(len(failed)), 0
    seen.context.close()


def printed(opened, file, shots):
    seen = Watched(opened, file)
    seen.page.set_viewport_size({"width": 718, "height": 1016})  # A4 within Chromium's margins of 1 cm, 96 px an inch
    seen.page.emulate_media(media="print")
    yield "page, printed", "pixels wider than the paper", float(max(0, seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))), 0
    pdf = seen.page.pdf(format="A4", path=os.path.join(shots, "print.pdf"))
    yield "page, printed", "that came out empty", float(len(pdf) < 20000), 0
    seen.context.close()


def grown(file, out):
    """The same page with 15,000 pictures: its own, under more prompts."""
    text = open(file, encoding="utf-8").read()
    data = json.loads(DATA.search(text).group(2))
    own, prompts = data["pictures"], data["prompts"]
    count = len(prompts)
    data["pictures"], data["prompts"] = [], []
    while len(data["pictures"]) < MANY:
        first = len(data["prompts"])
        data["prompts"] += prompts
        data["pictures"] += [[row[0], row[1] + first, *row[2:]] for row in own]
    assert len(data["prompts"]) % count == 0
    data["pictures"] = data["pictures"][:MANY]
    json_text = json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    with open(out, "w", encoding="utf-8") as f:
        f.write(DATA.sub(lambda match: match.group(1) + json_text + match.group(3), text, count=1))


def memory_of_pages():
    """Of the browser's processes that hold pages: what is theirs alone."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                total += process.memory_full_info().uss
    return total


def many(opened, file):
    out = os.path.join(os.path.dirname(os.path.abspath(file)), "many.html")
    grown(file, out)
    yield f"page, {MANY} pictures", "bytes", float(os.path.getsize(out)), MOST_BYTES
    start = time.time()
    seen = Watched(opened, out)
    seen.page.locator("#grid .cell").first.click()
    seen.page.wait_for_selector("#picture[open]")
    yield f"page, {MANY} pictures", "seconds until a picture opens", time.time() - start, USABLE_S
    seen.page.keyboard.press("Escape")
    for _ in range(10):
        seen.page.locator("#more").click()
        seen.page.evaluate("document.getElementById('grid').scrollTo(0, 1e9)")
        seen.page.wait_for_timeout(200)
    yield f"page, {MANY} pictures", "bytes of memory, ten screens on", float(memory_of_pages()), MOST_MEMORY
    seen.context.close()
    os.remove(out)


def checks(file, shots, is_hostile):
    os.makedirs(shots, exist_ok=True)
    with browser() as opened:
        yield from looks(opened, file, shots)
        if is_hostile:
            yield from inert(opened, file)
        yield from by_keyboard(opened, file, shots)
        yield from printed(opened, file, shots)
        yield from many(opened, file)


def made_run(program, folder):
    """A run folder whose prompts, groups and settings are hostile; its page. Raises RuntimeError with the program's words."""
    toml, run = os.path.join(folder, "page.toml"), os.path.join(folder, "page-run")
    with open(toml, "w", encoding="utf-8") as f:
        f.write(TOML % ", ".join(f'{{ prompt = {json.dumps(text, ensure_ascii=False)}, group = "<b>{i % 2}" }}' for i, text in enumerate(HOSTILE)))
    for words in (["run", toml, "-o", run, "-q"], ["report", run, "--keep", os.path.join(folder, "kept.html"), "--sheets"]):
        ran = subprocess.run([program, "experiment", *words], capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise RuntimeError(ran.stderr.strip()[-300:])
    return os.path.join(run, "report.html"), os.path.join(folder, "kept.html")


def rows(program, folder):
    """(case, what, measured, limit)"""
    if not chromium():
        yield "page", "chromium is not here; as root, run: apt-get install chromium", float("inf"), 0
        return
    try:
        page, kept = made_run(program, folder)
    except RuntimeError as error:
        yield "page", f"failed: {error}", float("inf"), 0
        return
    shots = os.path.join(ROOT, "build", "prove", "report")
    yield from checks(page, shots, is_hostile=True)
    with browser() as opened:
        seen = Watched(opened, kept)
        yield "page to be kept", "messages, errors, dialogs", float(len(seen.said)), 0
        yield "page to be kept", "files that it needs", float(seen.page.evaluate("[...document.images].filter(i => !i.src.startsWith('data:')).length")), 0
        seen.context.close()


def main():
    run, shots = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "build", "prove", "report")
    over = 0
    for case, what, measured, limit in checks(os.path.join(run, "report.html"), shots, is_hostile=False):
        over += measured > limit
        print(f"{'ok ' if measured <= limit else 'NO '} {case}: {what} {measured:.4g} (at most {limit:.4g})")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
