"""Rating in the system's Chromium, as a person does it: 40 pairs by keyboard, killed and gone on in the middle, one answer taken back; what
the browser gets that could tell an arm; widths, themes, axe.

    prove_rate.py [--program PATH]

Screenshots: build/prove/rate.
"""
import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import prove_page
import studio_program

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHOTS = os.path.join(ROOT, "build", "prove", "rate")
SIZES = {"phone": (390, 844), "turned": (844, 390), "desk": (1280, 900), "wide": (2560, 1440)}
PAIRS, REPEATS = 40, 4
KEYS = {"ArrowLeft": "left", "ArrowRight": "right", "ArrowUp": "equal", "ArrowDown": "both_bad"}
TOML = """
seed = 5
replicates = 2
[default]
steps = 2
[prompts]
test = [%s]
[arms.nothing]
[arms.keywords]
negative_prompt = "blurry, ugly"
[arms.third]
cfg_scale = 2
[analysis]
primary = "keywords - nothing"
"""
TELLTALE = ["nothing", "keywords", "third", "ugly", "pictures/", ".png", "run_to_rate"]  # of arms, files, the run
READY = "document.querySelector('.painted') && document.querySelector('.answers button').getAttribute('aria-disabled') === 'false'"
CONNECTION = ("connection", "keep-alive")


class Rating(studio_program.Served):
    def __init__(self, program, run, *more):
        super().__init__([program, "rate", run, "--rater", "Ann", *more], stderr=subprocess.DEVNULL)


class Page:
    """A page with everything that came to it."""

    def __init__(self, opened, rating, size="desk", scheme="light"):
        width, height = SIZES[size]
        self.context = opened.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.said, self.silent, self.pending, self.answers, self.elsewhere = [], False, [], [], []
        self.page.on("console", lambda message: None if self.silent else self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: None if urllib.parse.urlparse(request.url).port == rating.port else self.elsewhere.append(request.url))
        self.page.on("response", lambda answer: self.pending.append(answer))
        self.page.goto(rating.url)

    def until(self, expression, what, seconds=60):
        start = time.time()
        while not (came := bool(self.page.evaluate(expression))) and time.time() - start < seconds:
            self.page.wait_for_timeout(20)
        if not came:
            print(f"not within {seconds} s: {what}", file=sys.stderr)
        return came

    def collect(self):
        """Keeps what came, before the browser forgets it with the next address: (path, status, head, bytes)."""
        for answer in self.pending:
            self.answers.append((urllib.parse.urlparse(answer.url).path, answer.status, answer.all_headers(), answer.body()))
        self.pending.clear()

    def place(self):
        return self.page.inner_text("#progress")

    def press(self, key):
        """One answer, given when the pair is there and seen to be taken."""
        self.until(READY, "a pair")
        self.collect()
        before = self.place()
        self.page.keyboard.press(key)
        if not self.until(f"document.getElementById('progress').textContent !== {json.dumps(before)} || document.querySelector('.over')", "the next pair"):
            raise RuntimeError("the rating does not go on")


def lines_of(run):
    with open(os.path.join(run, "ratings.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def make_run(program, folder):
    with open(os.path.join(ROOT, "experiments", "wrong", "prompts_test.jsonl"), encoding="utf-8") as file:
        prompts = [json.loads(line)["prompt"] for line in file][:PAIRS // 2]
    with open(os.path.join(folder, "mine.toml"), "w", encoding="utf-8") as file:
        file.write(TOML % ", ".join(json.dumps(prompt, ensure_ascii=False) for prompt in prompts))
    run = os.path.join(folder, "run_to_rate")
    subprocess.run([program, "experiment", "run", os.path.join(folder, "mine.toml"), "-o", run, "-q"], check=True, stdout=subprocess.DEVNULL)
    return run


def early_key(seen, run):
    """The right picture is held back: keys before both are painted say nothing."""
    held = []
    seen.page.route("**/pictures/*", lambda route: held.append(route) if len(held) or "first" in waiting else (waiting.append("first"), route.continue_()))
    waiting = []
    seen.collect()
    seen.page.reload()
    for _ in range(200):
        if held:
            break
        seen.page.wait_for_timeout(20)
    yield "an early key", "the right picture is not asked for after the left one", float(not held), 0
    for key in KEYS:
        seen.page.keyboard.press(key)
    seen.page.wait_for_timeout(300)
    yield "an early key", "answers before both pictures are painted", float(answers_in(run)), 0
    for route in held:
        route.continue_()
    seen.page.unroute_all()
    yield "an early key", "the pair does not come afterwards", float(not seen.until(READY, "the pair")), 0


def answers_in(run):
    return sum(line["kind"] == "answer" for line in lines_of(run))


def held_key(seen, run):
    """Chromium marks what a held key repeats."""
    seen.until(READY, "a pair")
    before = answers_in(run)

    def hold(key):
        for _ in range(12):
            seen.page.keyboard.down(key)
            seen.page.wait_for_timeout(60)
        seen.page.keyboard.up(key)
        seen.until(READY, "the next pair")

    hold("ArrowLeft")
    yield "a held key", "answers beside its first", float(answers_in(run) - before - 1), 0
    seen.page.locator(".answers button").first.focus()
    hold("Enter")
    yield "a held Enter", "answers beside its first", float(answers_in(run) - before - 2), 0


def killed(seen, rating, run):
    seen.until(READY, "a pair")
    seen.collect()
    before, place = lines_of(run), seen.place()
    rating.end(signal.SIGKILL)
    seen.silent = True
    seen.page.keyboard.press("ArrowLeft")
    seen.until("document.querySelector('.trouble p')", "the page's word that nothing answers")
    yield "killed", "the page does not say so", float("does not answer" not in seen.page.inner_text(".trouble")), 0
    seen.pending.clear()
    rating.start()
    seen.page.goto(rating.url)
    seen.until(READY, "a pair")
    seen.silent = False
    yield "killed", "it does not go on where it was", float(seen.place() != place or lines_of(run) != before), 0


def rates(seen, rating, run):
    """All pairs by keyboard, with what was pressed for each."""
    drawn = random.Random(1)
    answered = lambda: sum({"answer": 1, "undo": -1}.get(line["kind"], 0) for line in lines_of(run))
    while (place := answered()) < PAIRS + REPEATS:
        if place == 17:
            yield from killed(seen, rating, run)
        key = drawn.choice(list(KEYS))
        seen.press(key)
        last = lines_of(run)[-1]
        if last["kind"] != "answer" or last["answer"] != KEYS[key]:
            yield "40 pairs", f"{key} at {place} was kept as {last}", 1.0, 0
        if place == 25 and not any(line["kind"] == "undo" for line in lines_of(run)):
            seen.press("Backspace")
            yield "an answer taken back", "it is another's", float(lines_of(run)[-1] != {"kind": "undo", "plan": last["plan"], "index": last["index"]}), 0
    yield "40 pairs", "the end is not told with the way to the verdict", float("negativa experiment report " + run not in seen.page.inner_text(".over")), 0


def kept(run):
    lines = lines_of(run)
    answers = {}
    for line in lines:
        if line["kind"] == "answer":
            answers[line["index"]] = line
    ordered = [answers[index] for index in sorted(answers)]
    yield "ratings.jsonl", "answers besides 44", float(abs(len(ordered) - PAIRS - REPEATS)), 0
    repeats = [line for line in ordered if line["repeat"]]
    yield "ratings.jsonl", "repeats besides 4", float(abs(len(repeats) - REPEATS)), 0
    adjacent = sum(a["repeat"] and not b["repeat"] and {a["left_picture"], a["right_picture"]} == {b["left_picture"], b["right_picture"]} for b, a in zip(ordered, ordered[1:]))
    yield "ratings.jsonl", "repeats next to their first showing", float(adjacent), 0
    firsts = {(line["left_picture"], line["right_picture"]) for line in ordered if not line["repeat"]}
    yield "ratings.jsonl", "repeats that are not swapped", float(sum((line["right_picture"], line["left_picture"]) not in firsts for line in repeats)), 0
    yield "ratings.jsonl", "answers without a time", float(sum(not (0 <= line["taken_ms"] < 60000 and abs(line["shown_unix_ms"] / 1000 - time.time()) < 3600) for line in ordered)), 0


def blind(answers):
    """What came over the wire: heads, names, sizes, order; nothing of it may differ between the sides."""
    states, pictures = {}, {}
    told, order = [], []
    for path, status, head, body in answers:
        head = {key: value for key, value in head.items() if key not in CONNECTION}
        told += [word for word in TELLTALE for value in head.values() if word in value]
        if path.startswith("/api/v1/rating/pictures/"):
            name = path.rsplit("/", 1)[1]
            pictures[name] = (body, head)
            order.append(name)
        elif path.startswith("/api/v1/rating") and status == 200 and not (state := json.loads(body))["over"]:
            states.setdefault(state["showing"], state)
            told += [word for word in TELLTALE if word in json.dumps({**state, "prompt": ""})]
    pairs = [(state["left"], state["right"]) for state in states.values()]
    shown = [pair for pair in pairs if pair[0] in pictures and pair[1] in pictures]
    yield "blind", "pairs of which it is looked at both pictures, less than 44", float(max(0, PAIRS + REPEATS - len(shown))), 0
    yield "blind", "words of arms, files or the run in what is sent", float(len(told)), 0
    yield "blind", "names that are not 32 hexadecimal digits, or used twice", float(sum(not re.fullmatch("[0-9a-f]{32}", name) for pair in pairs for name in pair) + 2 * len(pairs) - len({name for pair in pairs for name in pair})), 0
    yield "blind", "pairs of different sizes in bytes", float(sum(len(pictures[left][0]) != len(pictures[right][0]) for left, right in shown)), 0
    yield "blind", "pairs of different heads", float(sum(pictures[left][1] != pictures[right][1] for left, right in shown)), 0
    yield "blind", "heads that allow keeping", float(sum(head.get("cache-control") != "no-store" for _, head in pictures.values())), 0
    chunks = collections.Counter(text for body, _ in pictures.values() for text in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME", b"iCCP") if text in body[:100])
    yield "blind", "pictures with texts in them", float(sum(chunks.values())), 0
    lefts = {left for left, _ in shown}
    yield "blind", "left pictures that came after their right ones", float(sum(order.index(left) > order.index(right) for left, right in shown) + (0 if lefts else 1)), 0


def other_pages(seen, rating):
    """What the studio has elsewhere is not here."""
    paths = ["api/v1/runs", "api/v1/pictures", "api/v1/status", "api/v1/jobs", "api/v1/openapi.json", "api/v1/files/runs/run_to_rate/plan.json", "report.html", "plan.json", "ratings.jsonl", "main.js", "gallery.js"]
    seen.silent = True
    seen.collect()
    status = seen.page.evaluate("paths => Promise.all(paths.map(path => fetch('/' + path).then(answer => answer.status)))", paths)
    seen.silent = False
    seen.pending.clear()
    yield "blind", "other pages that are there", float(sum(code != 404 for code in status)), 0


def looks(opened, rating):
    for size in SIZES:
        for scheme in ("light", "dark"):
            seen = Page(opened, rating, size, scheme)
            seen.until(READY, "a pair")
            case = f"{size}, {scheme}"
            seen.page.screenshot(path=os.path.join(SHOTS, f"{size}-{scheme}.png"))
            yield case, "pixels wider than the window", float(max(0, seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))), 0
            yield case, "answers below the window", float(seen.page.evaluate("[...document.querySelectorAll('.answers button')].slice(0, 4).filter(one => one.getBoundingClientRect().bottom > innerHeight).length")), 0
            yield case, "serious faults that axe finds", prove_page.axe_faults(seen.page, "rate, " + case), 0
            yield case, "messages, errors", float(len(seen.said)), 0
            seen.context.close()


def by_tap(opened, rating, run):
    seen = Page(opened, rating, "phone", "dark")
    seen.until(READY, "a pair")
    for name, answer in (("Left is better", "left"), ("Both are bad", "both_bad"), ("Equally good", "equal"), ("Right is better", "right")):
        seen.until(READY, "a pair")
        before = len(lines_of(run))
        seen.page.get_by_role("button", name=name).click()
        for _ in range(100):
            if len(lines_of(run)) > before:
                break
            seen.page.wait_for_timeout(20)
        yield "by tap", f"{name} is kept as something else", float(lines_of(run)[-1].get("answer") != answer), 0
    seen.until(READY, "a pair")
    yield "by tap", "the live region says something else than the pair", float(not seen.page.inner_text("#said").startswith("Pair ")), 0
    seen.context.close()


def checks(program):
    os.makedirs(SHOTS, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, prove_page.browser() as opened:
        run = make_run(program, folder)
        rating = Rating(program, run, "--pairs", str(PAIRS))
        try:
            seen = Page(opened, rating)
            seen.until(READY, "the first pair")
            yield from early_key(seen, run)
            yield from held_key(seen, run)
            yield from other_pages(seen, rating)
            yield from rates(seen, rating, run)
            seen.page.screenshot(path=os.path.join(SHOTS, "over.png"))
            yield "the end", "serious faults that axe finds", prove_page.axe_faults(seen.page, "rate, the end"), 0
            yield from kept(run)
            seen.collect()
            yield from blind(seen.answers)
            yield "page", "messages, errors, requests to elsewhere", float(len(seen.said) + len(seen.elsewhere)), 0
            for said in seen.said + seen.elsewhere:
                print("the page:", said, file=sys.stderr)
            seen.context.close()
        finally:
            rating.end()
        other = Rating(program, run, "--pairs", str(PAIRS), "--rater", "Ben", "--arms", "nothing,keywords,third")
        try:
            yield from looks(opened, other)
            yield from by_tap(opened, other, run)
        finally:
            other.end()


def rows(program, _folder):
    """(case, what, measured, limit), for prove.py"""
    if not prove_page.chromium():
        yield "rating", "chromium is not here; as root, run: apt-get install chromium", float("inf"), 0
        return
    for case, what, measured, limit in checks(program):
        yield "rating, " + case, what, measured, limit


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "negativa"))
    over = 0
    for case, what, measured, limit in checks(parser.parse_args().program):
        over += measured > limit
        print(f"{'ok ' if measured <= limit else 'NO '} {case}: {what} {measured:.4g} (at most {limit:.4g})", flush=True)
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
