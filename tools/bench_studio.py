"""Timings of the studio: how soon a request's first step is done, what clients and a large gallery cost a drawing, and what the server holds in memory.
Part of bench.py."""
import os
import shutil
import statistics
import subprocess
import threading

from studio_program import Studio

DRAWING = {"prompt": "red apple on a blue background", "seed": 0, "cfg_scale": 5, "steps": 50}


def first_step_by_http(args, folder):
    """From sending a request to the end of its first step of two, on a model that is in memory, over HTTP and by an open engine, in turn. At most 100 ms."""
    command = [os.path.join(os.path.dirname(args.program), "negativa_bench_requests"), args.model, f"{folder}/request.png"]
    engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def alone():
        print(file=engine.stdin, flush=True)
        return float(engine.stdout.readline())

    with Studio(args.program, str(folder / "first")) as studio:
        def over_http():
            return studio.draw(prompt=DRAWING["prompt"], seed=1, steps=2)[1]
        over_http(), alone()
        pairs = [(over_http(), alone()) for _ in range(31)]
    engine.stdin.close()
    engine.wait()
    seconds = sorted(http for http, _ in pairs)
    low, high = seconds[9], seconds[21]  # order statistics: the middle that holds the median with 95 %
    more = statistics.median(http - engine_alone for http, engine_alone in pairs)
    print(f"first step of a request over HTTP\n  {1000 * statistics.median(seconds):.1f} ms [{1000 * low:.1f}, {1000 * high:.1f}], {1000 * more:.1f} ms more than "
          f"an open engine alone, 31 requests; expected at most 100 ms: {'yes' if high <= 0.1 else 'NO'}", flush=True)


def fill(library, count, picture):
    """Files as a job leaves them; the index is made of them at the start."""
    for job in range(count // 100):
        os.makedirs(os.path.join(library, "pictures", f"{job + 1:06}"))
        for i in range(100):
            shutil.copyfile(picture, os.path.join(library, "pictures", f"{job + 1:06}", f"{i:04}.png"))


class Clients:
    """Twenty pages that each ask for the queue, the gallery and the state of the studio every second, and listen to its events."""

    def __init__(self, studio, count=20):
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.poll, args=(studio, i / count)) for i in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def poll(self, studio, delay):
        import http.client
        connection = http.client.HTTPConnection("127.0.0.1", studio.port)
        self.ends.wait(delay)
        while not self.ends.is_set():
            for path in ("jobs?limit=20", "pictures?limit=50", "status"):
                connection.request("GET", "/api/v1/" + path, headers=studio.headers())
                if connection.getresponse().read() == b"":
                    raise RuntimeError("an empty answer")
            self.ends.wait(1)
        connection.close()


def picture_in(args, folder):
    """A drawn picture, with its recipe."""
    picture = str(folder / "one.png")
    if not os.path.exists(picture):
        subprocess.run([args.program, "generate", "-q", "-m", args.model, "-p", DRAWING["prompt"], "-s", "0", "--steps", "2", "-o", picture], check=True)
    return picture


def busy_studio(args, folder):
    """A picture of 50 steps in a studio that 20 clients poll and that has 2,000 pictures, against one that is empty and left alone; in turn. The upper end at
    most 1.15."""
    from bench import report
    fill(str(folder / "busy/library"), 2000, picture_in(args, folder))
    with Studio(args.program, str(folder / "busy")) as busy, Studio(args.program, str(folder / "idle")) as idle:
        busy.draw(**DRAWING), idle.draw(**DRAWING)
        pairs = []
        for _ in range(15):
            with Clients(busy):
                loaded = busy.draw(**DRAWING)[0]
            pairs.append((loaded, idle.draw(**DRAWING)[0]))
        report("a drawing beside 20 clients and 2,000 pictures", pairs, names=("busy studio", "idle studio"))


def look_around(studio):
    """As a page does: every page of the gallery, and thumbnails of a hundred pictures."""
    after, shown = "", 0
    while True:
        page = studio.ask("GET", f"pictures?limit=500&after={after}")["pictures"]
        for picture in page[:10]:
            if shown < 100:
                studio.ask("GET", f"pictures/{picture['name']}/thumbnail")
                shown += 1
        if len(page) < 500:
            return
        after = page[-1]["name"]


def gallery_memory(args, folder):
    """Resident memory of one studio with 1,000 pictures that were looked at, and with 20,000 that it took in meanwhile. At most 5 % more."""
    bytes_of_picture = open(picture_in(args, folder), "rb").read()
    with Studio(args.program, str(folder / "memory")) as studio:
        def take_in(first, last):
            for i in range(first, last):
                studio.ask("POST", f"pictures?name=p{i}.png", bytes_of_picture, "application/octet-stream")
            look_around(studio)
            return studio.resident_bytes()
        few, many = take_in(0, 1000), take_in(1000, 20000)
    print(f"memory of a studio\n  {few / 2**20:.1f} MiB after 1,000 pictures, {many / 2**20:.1f} MiB after 20,000: {many / few:.3f} times; "
          f"expected at most 1.05: {'yes' if many <= 1.05 * few else 'NO'}", flush=True)


BENCHES = [first_step_by_http, busy_studio, gallery_memory]
