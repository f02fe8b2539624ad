"""Click through the explorer in Chromium: `python tests/viz/click_through.py [folder for screenshots]`.

It needs `pip install playwright` and a Chromium (found as `chromium`, or by the environment variable CHROMIUM), and nothing from
the network: every request other than for the page itself fails the run.  What it checks is printed line by line.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

import wengert as wg

spec = importlib.util.spec_from_file_location("page_tools", Path(__file__).parent / "page_tools.py")
tools = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tools)
SLOWEST = 3.0  # seconds of the processor until a program of 5,000 operations can be read


class Visit:
    """A page of one program, in one window."""

    def __init__(self, browser, shots, name, drawing, *, scheme="light", size=(1440, 900)):
        self.name, self.shots = f"{name}-{scheme}", shots
        path = drawing if isinstance(drawing, Path) else shots / f"{name}.html"
        if path is not drawing:
            drawing.save(path)
        self.page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, accept_downloads=True)
        self.problems, self.requests = [], []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type in {"error", "warning"} else None)
        self.page.on("request", lambda request: self.requests.append(request.url))
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        self.seconds = metrics["ProcessTime"]  # of the processor, whatever else the machine does

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if error[0] is None:
            check(f"{self.name}: no error in the console, and no request besides the page", not self.problems and len(self.requests) == 1)
        self.page.close()

    def shot(self, what):
        self.page.screenshot(path=self.shots / f"{self.name}-{what}.png")

    def text(self, selector):
        return self.page.inner_text(selector)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def boxes(self):
        return self.page.locator("#picture .box").count()


def check(what, holds):
    print(f"{'ok    ' if holds else 'FAILED'}  {what}", flush=True)
    if not holds:
        raise SystemExit(1)


def walks(browser, shots):
    with Visit(browser, shots, "product", wg.draw(tools.product)(3, 2)) as at:
        at.shot("opened")
        check("product: five boxes, six edges", at.boxes() == 5 and at.page.locator("#picture .edge").count() == 6)
        at.page.click("#walk-on")
        check("the reverse walk starts from the output", "= 1" in at.text("#walk-words"))
        at.page.click("#walk-on")
        check("one edge and one box are marked", at.page.locator(".edge.walking").count() == at.page.locator(".box.walking").count() == 1)
        at.press("n", "n", "n")
        at.shot("reverse-walk")
        check("a sum shows its term, its numbers, and what is still to come", at.page.locator(".term.now").count() == 1)
        at.page.click("#walk-last")
        sums = at.text("#picture")
        check("at the end the adjoints are the gradient", "= 6" in sums and "= -4" in sums)
        check("the counter says why reverse is cheaper here", "forward 2 passes" in at.text("#counter") and "reverse 1 pass" in at.text("#counter"))
        at.press("f", "n", "n", "n")
        at.shot("forward-walk")
        check("f shows the forward walk, with tangents", "∂/∂x" in at.text("#counter") and at.page.get_attribute("#mode-forward", "aria-pressed") == "true")
        at.press("]")
        check("] goes to the second input", at.page.input_value("#walk-pass") == "1")
        at.page.click("#walk-play")
        at.page.wait_for_timeout(2100)
        check("play goes on by itself", int(at.page.input_value("#walk-place")) >= 2)
        at.press(" ")


def command(browser, shots):
    """`wengert explain --open`, with a browser that writes down what it was given."""
    script, address = shots / "browser.sh", shots / "address.txt"
    script.write_text(f'#!/bin/sh\nprintf "%s" "$1" > "{address}"\n')
    script.chmod(0o755)
    arguments = ["explain", "lambda x, y: (x + y) * (x - y)", "3", "2", "--open"]
    done = subprocess.run([sys.executable, "-m", "wengert", *arguments], env={**os.environ, "BROWSER": f"{script} %s"}, capture_output=True, text=True, check=True)
    check("--open says what it did", done.stdout.endswith(f"opened in the browser: {address.read_text()}\n"))
    page = Path(urllib.request.url2pathname(address.read_text().removeprefix("file://")))
    with Visit(browser, shots, "command", page) as at:
        check("and the page is the explorer of the call", "(x + y)·(x - y)" in at.text("h1") and at.boxes() == 5)
        at.page.click("#picture .box >> nth=2")
        check("whose line is that of the command", "<command line>:1" in at.text("#details") and "lambda x, y" in at.text("#details"))
    shutil.rmtree(page.parent)


def keys(browser, shots):
    with Visit(browser, shots, "network", wg.draw(tools.network)(*tools.network_arguments()), scheme="dark") as at:
        at.shot("opened")
        at.press("c")
        closed = at.boxes()
        at.press("o")
        check("c closes boxes, o opens them", closed < at.boxes())
        at.page.focus("#picture .canvas")
        at.press("ArrowDown", "ArrowDown", "ArrowRight")
        check("arrow keys choose boxes, and the details follow", at.page.locator(".box.chosen").count() == 1 and at.text("#details h2") != "Details")
        at.press("c", "ArrowDown")
        for _ in range(8):
            if "group" in at.page.get_attribute(".box.chosen", "class"):
                break
            at.press("ArrowDown")
        before = at.boxes()
        at.press("Enter")
        check("Enter opens the chosen box", at.boxes() > before)
        at.press("/")
        at.page.keyboard.type("tanh layer")
        check("search counts", int(at.text("#search-count").split()[0]) == 8)  # a product and a tanh in each layer
        at.press("Enter")
        check("Enter goes to what was found", "tanh" in at.text("#details"))
        check("the details have formula, type, statistics and source line", all(word in at.text("#details") for word in ("float64[3]", "min", "NaN", "page_tools.py", "np.tanh(h @ w)")))
        at.shot("found")
        at.press("Escape", "9", "+", "-", "Shift+ArrowLeft", "?")
        check("? shows the keys", at.page.is_visible("#help"))
        at.shot("keys")
        at.press("Escape", "d")
        check("d switches to light", at.page.get_attribute("html", "data-theme") == "light")
        scale = at.page.evaluate("wengert.primal.at.scale")
        at.page.mouse.move(400, 400)
        at.page.mouse.wheel(0, -240)
        at.page.wait_for_timeout(100)
        check("the wheel zooms", at.page.evaluate("wengert.primal.at.scale") > scale)
        x = at.page.evaluate("wengert.primal.at.x")
        at.page.mouse.down()
        at.page.mouse.move(460, 430, steps=4)
        at.page.mouse.up()
        check("dragging moves", abs(at.page.evaluate("wengert.primal.at.x") - x - 60) < 1)
        at.press("0")
        at.shot("light-by-switch")


def others(browser, shots):
    with Visit(browser, shots, "network2", wg.draw(tools.network)(*tools.network_arguments())) as at:
        at.press("2")
        check("three programs stand side by side", at.page.locator(".compared .canvas").count() == 3)
        at.page.hover(".compared[data-view=compiled] .box.group >> nth=0")
        check("pointing at a kernel marks what went into it", at.page.locator(".compared[data-view=primal] .linked").count() >= 1)
        check("primal boxes have the numbers of their kernels", at.page.locator(".compared[data-view=primal] .kernel-mark").count() >= 1)
        at.shot("compare")
        at.page.uncheck("#show-linear")
        check("a program can be hidden", not at.page.is_visible(".compared[data-view=linear]"))
        at.press("3")
        check("the pattern is there", at.page.is_visible("#pattern") and "can be other than zero" in at.text("#pattern-words"))
        at.page.hover("#pattern", position={"x": 5, "y": 5})
        check("a cell names its output and input", "∂" in at.text("#pattern-here"))
        at.shot("jacobian")
        at.press("4")
        check("the tables are those of explain", "Reverse walk" in at.text("#panel-tables"))
        at.shot("tables")
        at.press("1")
        for kind, beginning in (("svg", b"<svg"), ("png", b"\x89PNG")):
            with at.page.expect_download() as got:
                at.page.click(f"#save-{kind}")
            path = shots / f"exported.{kind}"
            got.value.save_as(path)
            check(f"{kind} is saved", path.read_bytes().startswith(beginning))
    function, args = tools.EXAMPLES["sums over neighbours"]
    with Visit(browser, shots, "neighbours", wg.draw(function)(*args), scheme="dark") as at:
        at.press("3")
        check("it says what a sparse Jacobian costs", "needs 2 forward passes and not 39" in at.text("#pattern-words"))
        at.shot("pattern")


def troubles(browser, shots):
    with Visit(browser, shots, "unhappy", wg.draw(tools.unhappy)(tools.EXAMPLES["unhappy"][1][0])) as at:
        check("NaN is announced", "NaN" in at.text("#details"))
        at.press("b")
        check("b goes to the first NaN, with its line", "np.log(x)" in at.text("#details"))
        at.shot("first-nan")
    with Visit(browser, shots, "oscillator", wg.draw(tools.oscillator)(*tools.EXAMPLES["oscillator"][1])) as at:
        before = at.boxes()
        at.page.dblclick("#picture .box.group >> nth=0")
        check("a double click opens a loop's body", at.boxes() > before)
        at.press("o")
        at.shot("loop-open")
        at.press("4")
        check("what is inside of a loop is folded", not at.page.locator("#panel-tables details td >> nth=0").is_visible())
        at.page.click("#panel-tables details.inside > summary >> nth=0")
        check("a click opens it, with the first and the last pass", all(word in at.text("#panel-tables") for word in ("pass 1 of 20", "… 18 more passes", "pass 20 of 20", "from the pass before")))
        at.shot("loop-tables")
    function, args = tools.EXAMPLES["names that break out"]
    with Visit(browser, shots, "names", wg.draw(function)(*args)) as at:
        check("names with tags in them are words", at.boxes() == 3)
    with Visit(browser, shots, "narrow", wg.draw(tools.product)(3, 2), size=(420, 800)) as at:
        check("a narrow window has picture, details and walk", all(at.page.is_visible(f"#{part}") for part in ("picture", "details", "walk-words")))
        at.shot("opened")


def large(browser, shots):
    drawing = wg.draw(tools.long_training)(*tools.network_arguments())
    n = len(drawing.explanation.steps)
    for scheme in ("light", "dark"):
        with Visit(browser, shots, "training", drawing, scheme=scheme) as at:
            at.shot("opened")
            check(f"{n:,} variables open in {at.seconds:.2f} s of the processor", n > 5000 and at.seconds < SLOWEST)
            check(f"they open as an outline of {at.boxes()} boxes", 3 <= at.boxes() <= 60)
            at.press("n", "n", "n")
            check("the walk goes through closed boxes", at.page.locator(".walking").count() >= 1)
            at.press("2")
            check("all three programs can be compared", at.page.locator(".compared .canvas").count() == 3)
            at.shot("compare")


def transformer(browser, shots):
    drawing = wg.draw(tools.transformer_training)(*tools.transformer_arguments())
    n = len(drawing.explanation.steps)
    for scheme, size in (("light", (1280, 900)), ("dark", (800, 900))):
        with Visit(browser, shots, "transformer", drawing, scheme=scheme, size=size) as at:
            at.shot("opened")
            check(f"a transformer of {n:,} variables opens in {at.seconds:.2f} s of the processor", n > 5000 and at.seconds < SLOWEST)
            check(f"it opens as an outline of {at.boxes()} boxes, which can be read", 3 <= at.boxes() <= 60 and at.page.evaluate("wengert.primal.at.scale") > 0.6)
            check("the infinities of its mask are no alarm", "NaN or infinity" not in at.text("#details"))
            at.press("/")
            at.page.keyboard.type("cross_entropy log")
            at.press("Enter")
            check("the loss is found by its name", "log" in at.text("#details h2"))
            at.shot("found")


def main():
    shots = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="wengert-"))
    shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for part in (walks, command, keys, others, troubles, large, transformer):
            part(browser, shots)
        browser.close()
    print(f"screenshots are in {shots}")


if __name__ == "__main__":
    main()
