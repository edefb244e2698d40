"""A real browser for the tests of pages: headless Chromium, driven by selenium. What a page asks of other hosts, and what it complains of
in its console, is written down; no test of a page is done before both have been looked at.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
DRIVER = shutil.which("chromedriver") or ""
PATIENCE = 60.0  # seconds
WIDTH, HEIGHT = 1280, 900
OWN = ("data:", "blob:", "about:", "chrome:")


class Browser:
    """One window, used by one test after the other."""

    def __init__(self) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={WIDTH},{HEIGHT}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

    def open(self, url: str, language: str = "en") -> None:
        """A page, as somebody with that language sees it."""
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):  # whatever went before is not this page's
            self.driver.get_log(kind)
        agent = {"userAgent": self.driver.execute_script("return navigator.userAgent"), "acceptLanguage": language}
        self.driver.execute_cdp_cmd("Network.setUserAgentOverride", agent)
        self.driver.get(url)

    def all(self, selector: str) -> list[Any]:
        """The elements of a CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """The first element of a selector that can be seen, once there is one."""
        return self.until(lambda: next((one for one in self.all(selector) if one.is_displayed()), None), selector)

    def text(self, selector: str) -> str:
        """What can be read in an element, once there is something."""
        return str(self.until(lambda: self.one(selector).text, selector))

    def click(self, selector: str) -> None:
        """Click on an element once it can be seen."""
        self.one(selector).click()

    def tabs(self) -> list[Any]:
        """The tabs of gradio's page, once it is there. Those in its menu for narrow windows are left out."""
        self.until(lambda: self.all("[role=tab]"), "tabs")
        return [tab for tab in self.all("[role=tab]") if tab.is_displayed()]

    def type(self, selector: str, text: str) -> None:
        """Replace what stands in a box, key by key."""
        from selenium.webdriver.common.keys import Keys

        box = self.one(selector)
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(Keys.DELETE)
        box.send_keys(text)

    def paste(self, selector: str, text: str) -> None:
        """Replace what stands in a box at once, as a paste does."""
        script = (
            "const [box, text] = arguments; Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), 'value').set.call(box, text);"
            "box.dispatchEvent(new Event('input', {bubbles: true}));"
        )
        self.driver.execute_script(script, self.one(selector), text)

    def download(self, selector: str, folder: Path) -> Path:
        """The file that a click brings."""
        folder.mkdir()
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
        self.click(selector)
        return self.until(lambda: next((one for one in folder.iterdir() if one.suffix not in (".crdownload", ".tmp")), None), "download")

    def until(self, found: Callable[[], T], what: str = "") -> T:
        """What ``found`` gives once that is something."""
        end = time.monotonic() + PATIENCE
        while True:
            value = None
            try:
                value = found()
            except Exception as error:  # an element may go while it is looked at
                if type(error).__module__.partition(".")[0] != "selenium":
                    raise
            if value:
                return value
            assert time.monotonic() < end, f"there is no {what} on the page: {self.one('body').text[:2000]}"
            time.sleep(0.03)

    def complaints(self) -> list[str]:
        """Errors in the console since the last time that somebody asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def strangers(self, url: str) -> list[str]:
        """What was asked of other hosts than that of ``url``, since the last time that somebody asked."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        assert asked  # else nothing was written down
        return [one for one in asked if not one.startswith((url, *OWN))]


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """The browser of this session. A test that asks for it is skipped where there is none."""
    pytest.importorskip("selenium", reason="the package selenium is not installed")
    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium with its driver is installed (on Debian: apt-get install chromium chromium-driver)")
    made = Browser()
    yield made
    made.driver.quit()
