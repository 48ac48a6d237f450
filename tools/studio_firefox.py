"""The studio's page in Firefox, driven by Marionette: every place opens, a picture is drawn, nothing is said on the console.

Part of studio_test.py.
"""
import base64
import contextlib
import os
import shutil
import tempfile
import time

ERRORS = """return Services.console.getMessageArray().filter(one => one instanceof Ci.nsIScriptError)
  .filter(one => one.sourceName.includes(arguments[0])).map(one => one.errorMessage)
  .filter(line => !line.startsWith('Layout was forced before the page was fully loaded'));"""  # said where a machine is busy


def firefox():
    return shutil.which("firefox-esr") or shutil.which("firefox")


@contextlib.contextmanager
def opened(width=1280, height=900, dark=False):
    from marionette_driver.marionette import Marionette
    # A profile of its own lies in HOME; Firefox run by root refuses one that is another user's.
    with tempfile.TemporaryDirectory() as home:
        before, os.environ["HOME"] = os.environ.get("HOME", ""), home
        client = Marionette(bin=firefox(), headless=True, gecko_log=os.path.join(home, "gecko.log"), prefs={"layout.css.prefers-color-scheme.content-override": 0 if dark else 1})
        try:
            client.start_session()
            client.set_window_rect(width=width, height=height)
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.quit(in_app=False)
            client.cleanup()
            os.environ["HOME"] = before


def until(client, expression, seconds=60):
    start = time.time()
    while time.time() - start < seconds:
        if client.execute_script("return " + expression):
            return time.time() - start
        time.sleep(0.1)
    return float("inf")


def checks(url, places, shots):
    """(case, what, measured, limit); skipped aloud where there is no Firefox."""
    if not firefox():
        print("skipped: firefox-esr is not here; as root, run: apt-get install firefox-esr", flush=True)
        return
    with opened() as client:
        client.navigate(url)
        yield "Firefox", "seconds until the page is there", until(client, "document.querySelector('#view-draw:not([hidden]) form') !== null", 30), 30
        for place in places:
            client.execute_script(f"location.hash = '#/{place}'")
            shown = until(client, f"document.querySelector('#view-{place}:not([hidden])')?.childElementCount > 1", 30)
            if shown == float("inf"):
                print(f"Firefox, {place}:", client.execute_script("return document.getElementById('toasts').textContent"), flush=True)
            time.sleep(0.4)
            yield f"Firefox, {place}", "seconds until it is shown", shown, 30
            yield f"Firefox, {place}", "pixels wider than the window", float(max(0, client.execute_script("return document.documentElement.scrollWidth - innerWidth"))), 0
            with open(os.path.join(shots, f"firefox-{place}.png"), "wb") as f:
                f.write(base64.b64decode(client.screenshot(full=False)))
        client.execute_script("location.hash = '#/draw'")
        client.find_element("id", "box-prompt").clear()
        client.find_element("id", "box-prompt").send_keys("a (red)1.4 fox")
        yield "Firefox", "seconds until weights are coloured", until(client, "document.querySelector('.backdrop .up-2') !== null", 20), 20
        client.find_element("css selector", "#view-draw button[type=submit]").click()
        yield "Firefox", "seconds until the picture is shown", until(client, "document.querySelector('.frame img')?.alt === 'a (red)1.4 fox'", 60), 60
        with client.using_context("chrome"):
            said = client.execute_script(ERRORS, script_args=[url.split("/?")[0]])
        for line in said:
            print("Firefox says:", line[:300], flush=True)
        yield "Firefox", "messages", float(len(said)), 0
