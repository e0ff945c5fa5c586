"""browser.py: a headless Chromium for tests, by the DevTools protocol over two pipes.

    browser.py PAGE.html OUT.png [WIDTH [HEIGHT [light|dark]]]     a picture of the whole page
    browser.py PAGE.html OUT.pdf                                   the page as it is printed
"""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time


def find():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    return None


class Browser:
    """One page. Requests, console messages and errors since load() are in self.events."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        to_browser, to_us = os.pipe(), os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                 "--disable-background-networking", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars",
                 "--user-data-dir=" + self.folder, "about:blank"]
        # The browser reads from descriptor 3 and writes to 4.
        command = 'exec "$0" "$@" 3<&%d 4>&%d' % (to_browser[0], to_us[1])
        self.process = subprocess.Popen(["bash", "-c", command, find()] + flags,
                                        pass_fds=(to_browser[0], to_us[1]), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=dict(os.environ, HOME=self.folder))
        os.close(to_browser[0])
        os.close(to_us[1])
        self.out, self.into = to_browser[1], to_us[0]
        self.buffer, self.number, self.session, self.events = b"", 0, None, []
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"],
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def receive(self, seconds=120):
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            if not select.select([self.into], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self.into, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in r:
            raise RuntimeError(r["exceptionDetails"])
        return r["result"].get("value")

    def load(self, path, width=1280, height=900, scheme="light"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url="about:blank")
        self.events = []
        url = "file://" + os.path.abspath(path)
        self.call("Page.navigate", url=url)
        end = time.monotonic() + 60
        while self.evaluate("[location.href, document.readyState]") != [url, "complete"]:
            if time.monotonic() > end:
                raise TimeoutError("the page does not load")
            time.sleep(.02)

    def picture(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = dict(x=0, y=0, width=size["width"], height=min(size["height"], 16000), scale=1)
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def print(self, path):
        data = self.call("Page.printToPDF", preferCSSPageSize=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    page, out = sys.argv[1:3]
    width, height = (int(a) for a in (sys.argv[3:5] + ["1280", "900"][len(sys.argv) - 3:])[:2])
    browser = Browser()
    try:
        browser.load(page, width, height, *sys.argv[5:6])
        (browser.print if out.endswith(".pdf") else browser.picture)(out)
    finally:
        browser.close()
