"""The studio's API against its own description: schemathesis (hypothesis) sends what the OpenAPI document allows and what it does not, and checks each answer."""
import os
import re
import subprocess
import sys

from studio_program import Studio

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
          "negative_data_rejection", "missing_required_header", "unsupported_method", "ignored_auth"]
# The stream of events has no end; the queue stays held, so that nothing that is sent is drawn.
LEFT_OUT = ["/api/v1/events", "/api/v1/queue/release"]


def rows(program, folder, examples=12):
    """(case, what, measured, limit): kinds of answers that the description does not allow"""
    with Studio(program, os.path.join(folder, "studio"), "--hold") as studio:
        command = [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", f"http://127.0.0.1:{studio.port}/api/v1/openapi.json",
                   "-H", f"Authorization: Bearer {studio.token}", "--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", "1",
                   "--generation-deterministic", "--no-color", "--request-timeout", "60"]
        for path in LEFT_OUT:
            command += ["--exclude-path", path]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "NO_PROXY": "127.0.0.1"})
        alive = studio.process.poll() is None
    tested = re.search(r"Tested: (\d+)", ran.stdout)
    found = re.search(r"(\d+) (?:unique )?failures?", ran.stdout)
    failures = float(found.group(1)) if found else (0.0 if ran.returncode == 0 else float("inf"))
    if failures:
        print((ran.stdout + ran.stderr)[-20000:], file=sys.stderr)
    yield "studio, schemathesis", f"answers that the description does not allow, of {tested.group(1) if tested else '?'} operations", failures, 0
    yield "studio, schemathesis", "the studio ended", float(not alive), 0


if __name__ == "__main__":
    import tempfile
    with tempfile.TemporaryDirectory() as place:
        for row in rows(sys.argv[1], place):
            print(row)
