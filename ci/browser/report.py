#!/usr/bin/env python3
"""Opens reports in a headless Chromium and looks at them, as phones, tablets, desktops and paper show them, in light and dark.

    report.py PAGES SCREENSHOTS      every PAGES/*.html; pictures of them go to SCREENSHOTS

Fails on errors in the console, on requests for anything but the page itself, on what is broader than the screen, on labels that
lie over each other or are cut off, and on texts that do not stand out. Begins with a page that has all of these faults: what is not found
there would not be found elsewhere. Needs chromium and chromedriver; speaks WebDriver and needs nothing else.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

LOOK = (pathlib.Path(__file__).parent / "look.js").read_text()
# Width, height, scale. Paper is A4 without its margins.
SCREENS = {"phone": (390, 844, 2), "tablet": (820, 1180, 1), "desktop": (1280, 900, 1), "paper": (688, 1000, 1)}
LOOKS = [("phone", "light"), ("phone", "dark"), ("tablet", "light"), ("desktop", "light"), ("desktop", "dark"), ("paper", "dark")]
TEXTS_MIN = 20
FAULTY = """<!DOCTYPE html><html lang="en"><title>x</title><script>console.error("a fault")</script>
<img src="https://192.0.2.1/x.png" alt=""><main><p style="width: 3000px">broad</p><p style="color: #bbb; background: #fff">pale</p>
<svg viewBox="0 0 100 20" width="380" height="76"><text x="0" y="10">one label</text><text x="10" y="10">another</text>
<text x="90" y="10">cut off</text></svg></main></html>"""
FAULTS = ["a fault", "192.0.2.1", "wide on a screen", "contrast of", "is over", "is cut off"]


class Browser:
    """A session of chromedriver with a browser that is new."""

    def __init__(self, profile):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        self.port = None
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.port = int(line.rstrip(".\n").rsplit(" ", 1)[1])
                break
        if self.port is None:
            raise SystemExit("chromedriver did not start")
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"]
        arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
        options = {"args": arguments + [f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        self.session = ""
        self.session = self.call("", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def call(self, path, body, method="POST"):
        url = f"http://127.0.0.1:{self.port}/session" + (f"/{self.session}" if self.session else "") + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"chromedriver: {error.read().decode()[:600]}") from error

    def command(self, name, **parameters):
        return self.call("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def run(self, script, *arguments):
        return self.call("/execute/sync", {"script": script, "args": list(arguments)})

    def log(self, kind):
        return self.call("/se/log", {"type": kind})

    def close(self):
        try:
            self.call("", None, "DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait(30)


def show(browser, page, screen, scheme):
    """Opens a page; gives what the console said and what was asked for."""
    width, height, scale = SCREENS[screen]
    size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": screen == "phone"}
    browser.command("Emulation.setDeviceMetricsOverride", **size)
    media = "print" if screen == "paper" else ""
    browser.command("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.log("browser"), browser.log("performance")
    browser.call("/url", {"url": page.as_uri()})
    time.sleep(0.2)
    findings = [f"the console says: {entry['message']}" for entry in browser.log("browser")]
    for entry in browser.log("performance"):
        event = json.loads(entry["message"])["message"]
        url = event.get("params", {}).get("request", {}).get("url", "")
        if event["method"] == "Network.requestWillBeSent" and url != page.as_uri() and not url.startswith("data:"):
            findings.append(f"it asks for {url}")
    return findings


def look(browser, texts):
    """Looks at the page that is shown, all of it at once, with everything folded opened and closed."""
    findings = []
    for is_open in ["false", "true"]:
        browser.run(f"document.querySelectorAll('details').forEach(one => one.open = {is_open})")
        height = browser.run("return document.documentElement.scrollHeight")
        width = browser.run("return innerWidth")
        browser.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        findings += browser.run(LOOK, texts)
    browser.run("document.querySelectorAll('details').forEach(one => one.open = false)")
    return findings


def picture(browser, screen, file):
    width, height, scale = SCREENS[screen]
    browser.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=screen == "phone")
    whole = browser.run("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(whole, 8000), "scale": 1}
    shot = browser.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    file.write_bytes(base64.b64decode(shot["data"]))


def check_faulty(browser, directory):
    page = directory / "faulty.html"
    page.write_text(FAULTY)
    findings = show(browser, page, "phone", "light") + look(browser, 0)
    missed = [fault for fault in FAULTS if not any(fault in finding for finding in findings)]
    if missed:
        raise SystemExit(f"faults that are there were not found: {missed} in {findings}")


def main():
    pages, shots = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    shots.mkdir(parents=True, exist_ok=True)
    found, looked_at = 0, 0
    with tempfile.TemporaryDirectory() as directory:
        browser = Browser(pathlib.Path(directory) / "profile")
        try:
            check_faulty(browser, pathlib.Path(directory))
            for page in sorted(pages.glob("*.html")):
                for screen, scheme in LOOKS:
                    findings = show(browser, page, screen, scheme) + look(browser, TEXTS_MIN)
                    for finding in dict.fromkeys(findings):
                        print(f"{page.name}, {screen}, {scheme}: {finding}")
                    found += len(findings)
                    looked_at += 1
                    picture(browser, screen, shots / f"{page.stem}-{screen}-{scheme}.png")
        finally:
            browser.close()
    print(f"looked at {looked_at} times, {found} faults")
    return 1 if found or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())
