#!/usr/bin/env python3
"""Opens a report in headless Chromium and uses it as a reader would: `make page-test`.

Needs chromium and chromium-driver (Debian's packages); speaks the W3C WebDriver protocol with the standard library.
Checks that the console is silent and nothing is requested, that hovering shows the values that SQL gives, that the
slider moves the matrices of all runs, keyboard, themes, and a narrow window. Screenshots go to build/page/. Closing
line: N passed, N failed
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

GROKLAB = os.path.abspath(os.environ.get("GROKLAB", "build/groklab"))
PICTURES = "build/page"
KEYS = {"left": "\ue012", "right": "\ue014", "home": "\ue011", "end": "\ue010", "down": "\ue015"}
passed, failed = 0, 0


def ok(name, good, more=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(
        ("ok " if good else "not ok ") + f"{passed + failed} - {name}" + ("" if good else f"  # {more}"), flush=True
    )


class Browser:
    """A session of chromedriver."""

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.root = "http://127.0.0.1:" + line.rstrip(".\n").split()[-1]
                break
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self.id = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}}, False)["sessionId"]

    def ask(self, method, path, body=None, session=True):
        url = self.root + (f"/session/{self.id}" if session else "") + path
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            return json.load(urllib.request.urlopen(request))["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error

    def js(self, script, *args):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(args)})

    def find(self, css):
        return list(self.ask("POST", "/element", {"using": "css selector", "value": css}).values())[0]

    def point(self, css, x, y, click=False):
        """Moves the mouse to a share of an element's width and height."""
        box = self.js(
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
            "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height];",
            css,
        )
        moves = [
            {"type": "pointerMove", "duration": 0, "x": round(box[0] + x * box[2]), "y": round(box[1] + y * box[3])}
        ]
        if click:
            moves += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.ask(
            "POST",
            "/actions",
            {
                "actions": [
                    {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves}
                ]
            },
        )

    def keys(self, css, *keys):
        self.js("document.querySelector(arguments[0]).focus()", css)
        actions = [{"type": t, "value": KEYS.get(k, k)} for k in keys for t in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def size(self, width, height):
        self.ask("POST", "/window/rect", {"width": width, "height": height})
        time.sleep(0.3)

    def open(self, url):
        self.ask("POST", "/url", {"url": url})
        time.sleep(0.3)

    def shot(self, name):
        with open(f"{PICTURES}/{name}.png", "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def log(self, kind):
        return self.ask("POST", "/se/log", {"type": kind})

    def close(self):
        try:
            self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()


def groklab(*words):
    return subprocess.run([GROKLAB, *words], check=True, capture_output=True, text=True).stdout


def sql(query):
    return json.loads(groklab("sql", "--json", query))


def make_runs():
    """Three methods on one split, small enough for seconds."""
    common = ["--p", "31", "--train_fraction", "0.5", "-q"]
    groklab("train", "mlp", *common, "--width", "128", "--steps", "60", "--measure_every", "4", "--name", "mlp")
    groklab("train", "rfm", *common, "--steps", "20", "--measure_every", "1", "--name", "rfm")
    groklab(
        "train",
        "transformer",
        *common,
        "--d_model",
        "32",
        "--d_mlp",
        "64",
        "--n_heads",
        "2",
        "--steps",
        "300",
        "--measure_every",
        "20",
        "--name",
        "transformer",
    )


def readouts(browser, chart):
    found = browser.js(
        "return [...document.querySelectorAll('#' + arguments[0] + ' output')].map(o => [o.dataset.run,"
        " o.dataset.metric,"
        " o.dataset.step, o.textContent, o.title])",
        chart,
    )
    return [r for r in found if r[2] != ""]


def number(text):
    """The number that a reader sees: a true minus, powers of ten raised."""
    return float(text.translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789")).replace("×10", "e"))


def check_hover(browser):
    """Six digits to read, and all of them in the title."""
    wrong, seen = [], set()
    for chart in ("chart_accuracy", "chart_loss", "chart_a", "chart_b"):
        for x in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9):
            browser.point(f"#{chart} svg[tabindex]", x, 0.5)
            for run, metric, step, text, title in readouts(browser, chart):
                value = sql(
                    f"SELECT value FROM metrics WHERE run_id = {run} AND name = '{metric}' AND step = {step}"
                )[0]["value"]
                seen.add((run, metric, step))
                if number(text.split(": ")[1]) != float(f"{value:.6g}") or float(title) != value:
                    wrong.append((run, metric, step, text, title, value))
    ok(f"hover shows the values that SQL gives ({len(seen)} points)", len(seen) > 40 and not wrong, wrong[:3])
    browser.point("#chart_accuracy svg[tabindex]", 0.7, 0.5)
    rules = browser.js("return document.querySelectorAll('.cursor .rule').length")
    ok("one cursor in all charts", rules == 4, rules)
    browser.shot("hover")


def matrices(browser):
    return browser.js(
        "return [...document.querySelectorAll('.pane')].map(p => [p.querySelector('.step').textContent,"
        " p.querySelector('canvas').toDataURL()])"
    )


def check_slider(browser):
    last = matrices(browser)
    browser.keys("#slider", "home")
    first = matrices(browser)
    ok(
        "the slider moves the matrices of all runs",
        len(last) == 3 and all(a[0] != b[0] and a[1] != b[1] for a, b in zip(first, last)),
        [a[0] for a in first],
    )
    steps = {m[0] for m in first}
    ok("to their first steps", steps == {"sqrt_agop, epoch 0", "metric, iteration 0"}, steps)
    for _ in range(8):
        browser.keys("#slider", "right")
    middle = matrices(browser)
    ok("arrow keys move it", middle != first)
    labels = set()
    for align in ("step", "fraction", "phase"):
        browser.js(
            "document.querySelector('[aria-label=alignment] [data-value=' + arguments[0] + ']').click()", align
        )
        browser.keys("#slider", "home", "right", "right")
        labels.add(browser.js("return document.querySelector('#position').textContent"))
    ok("aligned by step, fraction and phase", len(labels) == 3, labels)
    browser.keys("#slider", "home")
    ok(
        "a matrix of zeros says so",
        "all 0" in browser.js("return document.querySelectorAll('.pane figcaption')[1].textContent"),
    )
    cosines = set()
    for _ in range(12):
        cosines |= set(
            browser.js("return [...document.querySelectorAll('#similarity td.number')].map(c => c.textContent)")
        )
        browser.keys("#slider", "right")
    some = any(c.startswith("−") for c in cosines)
    ok("cosines have a true minus", some and not any("-" in c or c == "−0.000" for c in cosines), cosines)
    browser.keys("#slider", "end")
    ok("and back to the end", [m[0] for m in matrices(browser)] == [m[0] for m in last])


def check_cells(browser):
    """What a cell is said to hold is what the stored matrix holds, to the page's 16 bits and four shown digits."""
    wrong, count = [], 0
    for x, y in ((0.1, 0.6), (0.3, 0.9), (0.7, 0.2), (0.52, 0.51)):
        browser.point(".pane canvas[data-run='2']", x, y)
        text = browser.js("return document.querySelectorAll('.pane .value')[2].textContent")  # two lines a pane
        place, said = text.split(": ≈ ")
        i, j = [int(w[2:]) + (31 if w[0] == "y" else 0) for w in place.split(", ")]
        value = sql(
            "SELECT mat_get(data, %d, %d) AS v FROM matrix WHERE run_id = 2 AND kind = 'metric'"
            " ORDER BY step DESC LIMIT 1"
            % (i, j)
        )[0]["v"]
        value = 0.0 if i == j else value
        count += 1
        if abs(number(said) - value) > 2e-3 * abs(value) + 4e-5:
            wrong.append((place, said, value))
    ok(f"hover over a matrix shows its entries ({count})", not wrong, wrong)
    texts = browser.js(
        "return [...document.querySelectorAll('.pane')].map(p => p.querySelector('.value').textContent.split(':')[0])"
    )
    ok("the same cell in all matrices", len(set(texts)) == 1, texts)
    browser.keys(".pane canvas", "down", "right")
    moved = browser.js("return document.querySelector('.pane .value').textContent.split(':')[0]")
    ok("arrow keys walk over the cells", moved != texts[0], moved)
    browser.js("document.querySelector('#block').click()")
    size = browser.js("return document.querySelector('.pane canvas').width")
    browser.js("document.querySelector('#block').click()")
    ok("the block alone", size == 31, size)


def check_spectrum(browser):
    bars = browser.js("return [...document.querySelectorAll('.pane')][1].querySelectorAll('.bar').length")
    ok("bars of the spectrum, one a frequency", bars == 15, bars)
    said = browser.js(
        "return [...[...document.querySelectorAll('.pane')][1].querySelectorAll('.bar')].map(b => +b.dataset.energy)"
    )
    cells = sql(
        "SELECT value FROM matrix, mat_each(data) WHERE run_id = 2 AND kind = 'metric' AND step = 20"
        " AND row >= 31 AND col < 31"
        " ORDER BY row, col"
    )
    block = [c["value"] for c in cells]
    import cmath

    worst = 0
    for k in range(1, 16):  # energy on u + v = 0: p |DFT of the means over y - x|^2, frequencies k and -k
        mean = [sum(block[((d + x) % 31) * 31 + x] for x in range(31)) / 31 for d in range(31)]
        c = sum(m * cmath.exp(-2j * cmath.pi * k * d / 31) for d, m in enumerate(mean))
        worst = max(worst, abs(2 * abs(c) ** 2 - said[k - 1]) / said[k - 1])
    ok("their energies are those of the stored block", worst < 1e-9, worst)


def check_sql(browser):
    queries = browser.js("return [...document.querySelectorAll('details.sql pre')].map(p => p.textContent)")
    ok("SQL under the figures", len(queries) >= 5, len(queries))
    rows = [len(groklab("sql", "--csv", q).splitlines()) for q in queries]
    ok("that runs", all(r > 1 for r in rows), rows)


def check_looks(browser, url):
    paper = lambda: browser.js("return getComputedStyle(document.body).backgroundColor")
    light = paper()
    browser.js("document.querySelector('#theme').click()")
    dark = paper()
    browser.point("#chart_accuracy svg[tabindex]", 0.6, 0.5)
    browser.js("scrollTo(0, 0)")
    browser.shot("dark")
    browser.js("document.querySelector('#matrices').scrollIntoView()")
    browser.shot("dark_matrices")
    ok("light and dark", light == "rgb(255, 255, 255)" and dark == "rgb(20, 22, 26)", (light, dark))
    browser.open(url + "#theme=light")
    browser.ask("POST", "/refresh")
    time.sleep(0.3)
    browser.js("scrollTo(0, 0)")
    browser.shot("light")
    browser.size(390, 844)
    width = browser.js("return document.documentElement.scrollWidth")
    ok("a narrow window needs no sideways scrolling", width <= browser.js("return innerWidth"), width)
    for id_ in ("glance", "curves", "matrices", "measures"):
        browser.js("document.getElementById(arguments[0]).scrollIntoView()", id_)
        browser.shot("phone_" + id_)
    browser.size(1200, 1000)


def check_state(browser, url):
    browser.open(url)
    browser.js("document.querySelector('[aria-label=\"horizontal axis\"] [data-value=phase]').click()")
    browser.keys("#slider", "home", "right")
    before = browser.js("return [location.hash, document.querySelector('#position').textContent]")
    browser.ask("POST", "/refresh")
    time.sleep(0.3)
    after = browser.js("return [location.hash, document.querySelector('#position').textContent]")
    ok("a reload keeps the reader's place", before == after and "axis=phase" in before[0], (before, after))
    browser.js(
        "const f = document.querySelector('#filter'); f.value = 'circulance'; f.dispatchEvent(new Event('input'))"
    )
    rows = browser.js("return [...document.querySelectorAll('.measures tbody tr')].filter(r => !r.hidden).length")
    ok("measures can be filtered", 0 < rows < 8, rows)
    browser.js("document.querySelector('.measures tbody tr:not([hidden]) button').click()")
    ok("and drawn", browser.js("return document.querySelector('#measure_a').value").find("circ") >= 0)


def main():
    if not shutil.which("chromedriver"):
        print("no chromedriver: apt-get install chromium chromium-driver")
        return 1
    os.makedirs(PICTURES, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GROKLAB_DB"] = folder + "/page.db"
        make_runs()
        page = folder + "/page.html"
        groklab("report", "mlp", "rfm", "transformer", "-o", page)
        ok("under 5 MB", os.path.getsize(page) < 5e6, os.path.getsize(page))
        url = "file://" + page
        browser = Browser()
        try:
            browser.size(1200, 1000)
            browser.open(url)
            check_hover(browser)
            check_slider(browser)
            check_cells(browser)
            check_spectrum(browser)
            check_sql(browser)
            check_state(browser, url)
            check_looks(browser, url)
            console = [e for e in browser.log("browser") if e["level"] != "DEBUG"]
            ok("the console is silent", not console, console[:3])
            asked = [json.loads(e["message"])["message"] for e in browser.log("performance")]
            asked = {
                m["params"]["request"]["url"].split("#")[0]
                for m in asked
                if m["method"] == "Network.requestWillBeSent"
            }
            others = [u for u in asked if u != url and not u.startswith("data:")]
            ok("nothing but the page is requested", url in asked and not others, others[:3])
        finally:
            browser.close()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
