"""`negativa studio` as a program meets it: on a free port, with a library and a models folder of its own."""
import http.client
import json
import os
import signal
import subprocess
import time
import urllib.parse


class Served:
    """A program that prints the address of its page, on a free port; started again it has the same one."""

    def __init__(self, command, **process):
        self.command, self.process_options, self.port = command, process, 0
        self.start()

    def start(self):
        self.process = subprocess.Popen([*self.command, "--port", str(self.port)], stdout=subprocess.PIPE, text=True, **self.process_options)
        self.url = self.process.stdout.readline().strip()
        self.port = urllib.parse.urlparse(self.url).port

    def end(self, by=signal.SIGINT):
        self.process.send_signal(by)
        self.process.wait(30)


class Studio(Served):
    def __init__(self, program, folder, *more):
        self.library = os.path.join(folder, "library")
        models = os.path.join(folder, "models")
        os.makedirs(models, exist_ok=True)
        environment = {**os.environ, "XDG_CACHE_HOME": os.path.join(folder, "cache"), "NEGATIVA_MODELS": models}
        super().__init__([program, "studio", "--library", self.library, *more], stderr=subprocess.DEVNULL, env=environment)
        self.token = urllib.parse.parse_qs(urllib.parse.urlparse(self.url).query)["token"][0]
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.asked = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.terminate()
        self.process.wait()

    def headers(self, body_type="application/json"):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": body_type}

    def ask(self, method, path, body=None, body_type="application/json"):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        if time.monotonic() - self.asked > 5:  # the server ends connections that are idle for ten
            self.connection.close()
        self.asked = time.monotonic()
        self.connection.request(method, "/api/v1/" + path, data, self.headers(body_type))
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if answer.getheader("Content-Type") == "application/json" else text

    def draw(self, **options):
        """Seconds from the request to the end of its job, and the time of the first event of a finished step."""
        with self.events() as stream:
            begin = time.perf_counter()
            job = self.ask("POST", "jobs/generate", options)["id"]
            first = None
            for kind, data in stream:
                if data.get("job") != job:
                    continue
                if kind == "step" and data["done"] >= 1 and first is None:
                    first = time.perf_counter() - begin
                if kind == "job" and data["state"] not in ("queued", "running"):
                    if data["state"] != "done":
                        raise RuntimeError(f"the job ended as {data}")
                    return time.perf_counter() - begin, first

    def events(self):
        return Events(self)

    def resident_bytes(self):
        lines = open(f"/proc/{self.process.pid}/status").read().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


class Events:
    """(type, data) of each event from now on."""

    def __init__(self, studio):
        self.connection = http.client.HTTPConnection("127.0.0.1", studio.port)
        self.connection.request("GET", "/api/v1/events", headers=studio.headers())
        self.stream = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.connection.close()

    def __iter__(self):
        kind = ""
        for line in self.stream:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            if name == "data":
                yield kind, json.loads(value)
