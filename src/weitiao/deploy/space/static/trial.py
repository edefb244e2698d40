"""Does a static page answer as the model that it carries? It is opened in Chromium and asked the run's held-out rows and hard texts, and
what it says is compared with what Python says of the same file. It knows no task by name, and writes nothing.
"""

import gzip
import json
import queue
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import tasks
from weitiao.data.language import SCRIPT_RANGES
from weitiao.deploy import gate
from weitiao.deploy.runtime import open_export
from weitiao.deploy.space.likeness import APART, distance
from weitiao.deploy.space.static import chromium
from weitiao.deploy.space.static.folder import HEADERS
from weitiao.deploy.space.static.serving import Served, served
from weitiao.deploy.space.static.table import TABLE
from weitiao.errors import GateError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.report.formats import file_name
from weitiao.runs import RunFolder

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

PATIENCE = 180.0  # seconds without a word from the page
TRIAL = Path(__file__).parent / "trial"
REFUSED = "no_chinese"  # a page may say that a text is not for it
_CHINESE = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last, script in SCRIPT_RANGES if script == "Han") + "]")
# Everything that a tokenizer, a window or a page has ever been known to trip over.
HARD = (
    "",
    " \t\n ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ❤️ 🇨🇳 so happy 🎉🎉🎉",
    "微调 fine-tuning は楽しい и Москва 서울 Ωμέγας ΟΔΟΣ שלום مرحبا हिन्दी ไทย",
    "Ｆｕｌｌ　ｗｉｄｔｈ ﬁne ½ ① naïve cafe\u0301 İstanbul ﬀ \u200bzero\u200dwidth\ufeff \u202eleft",
    "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'> &amp; {{7*7}} ${x}",
    "[CLS] what [SEP] is [MASK] <s> </s> <pad> [PAD] [UNK] <mask>",
    "a\u0000b\u0001c\u007fd\u009fe\ufffdf\u00adg\r\nh\u2028i\u0085j",
    "x" * 500,
    "antidisestablishmentarianism" * 100,
    "\nhello",
    "\thello ",
    "\u3000hello\u3000",
    "The river rose above the old bridge, and the whole town stood on the hill and watched. " * 60,
    "这条河漫过了老桥，全镇的人都站在山上看着。" * 60,
)


@dataclass
class _Found:
    """What sets the page apart from Python.

    Attributes:
        wrong: of which records the page says something else, by their places, and what.
        largest: the largest difference of a number.
        refused: how many held-out rows the page says are not for it.
    """

    wrong: list[tuple[int, str]] = field(default_factory=list)
    largest: float = 0.0
    refused: int = 0


def require() -> None:
    """Insist on what a page is tried in. Raises MissingPackage."""
    chromium.find()


def try_out(
    place: Path,
    name: str | Path,
    *,
    rows: int = gate.MOST,
    trust_task: bool = False,
    headers: Mapping[str, str] = HEADERS,
    observer: Observer = SILENT,
) -> dict[str, Any]:
    """Open a page and hold it to what its own model says in Python.

    Args:
        place: what ``folder.write`` wrote.
        name: the run, or the export, that it was written from: it has the held-out rows and the task.
        rows: how many of them are asked; with 1 no hard texts are either, which is a smoke test.
        headers: what the folder is served with.
        observer: is told how many of them have been asked.

    Returns:
        {"rows": held-out rows that it answered, "too_long", "refused": those that are longer than a page reads, and those that it says are
        not for it, "hard", "labels_equal": share of the records with the same answer, "difference": the largest of a score, "opening_ms":
        until the first answer, "ms": median of an answer, "transferred": bytes, "threads", "isolated", "agent"}.

    Raises:
        MissingPackage: there is no Chromium.
        GateError: the page does not open, does not answer, or says something else; with figures and the first such text.
    """
    program = chromium.find()
    run = RunFolder.open(name)
    task = tasks.of_run(run.record(), run.task, trust_task=trust_task)
    with tempfile.TemporaryDirectory() as scratch:
        predictor = _carried(place, task, Path(scratch))
        places = [place for _record, place in run.measured_rows(task.fields, rows)]  # [] where it kept no rows
        every = list(enumerate(gate.held_out(run, task, rows)[0]))
        table = json.loads((place / TABLE).read_text(encoding="utf-8"))
        inputs, shown = table["inputs"], table["examples"]
        fit = [(at, record) for at, record in every if all(_fits(record.get(name), about["longest"]) for name, about in inputs.items())]
        held, places = [record for _at, record in fit], [places[at] for at, _record in fit] if places else []
        too_long = len(every) - len(held)
        held = held or [task.prepare({**dict.fromkeys(task.fields), **shown[0]})]
        names = list(inputs)
        asked = [_asked(record, names) for record in held]
        hard = [] if rows == 1 else _hard(asked[0], names)
        observer.note(_("Opening the page in Chromium."))
        told, sent = _opened(place, program, [*asked, *hard], [*shown, *asked], headers, observer)
        records = [*held, *({**held[0], **record} for record in hard)]
        found = _compared(predictor, records, told["answers"], len(held))
        hidden = {at: place for at, place in enumerate(places) if asked[at] not in [_asked(one, names) for one in shown]}
    answers = told["answers"]
    times = sorted(answer["ms"] for answer in answers[: len(held)] if "ms" in answer)
    _judge(found, told, records, len(held), hidden)
    return {
        "rows": len(held) - found.refused,
        "too_long": too_long,
        "refused": found.refused,
        "hard": len(hard),
        "labels_equal": 1.0,
        "difference": found.largest,
        "opening_ms": told["opening_ms"],
        "ms": times[len(times) // 2],
        "transferred": sent,
        "threads": told["ready"]["threads"],
        "isolated": told["isolated"],
        "agent": told["agent"],
    }


def _carried(place: Path, task: Any, scratch: Path) -> "Predictor":
    """The model that the page carries, in Python."""
    inner = RunFolder(scratch)
    inner.model.mkdir()
    for packed, file in ((place / "model.onnx.gz", inner.graph), (place / "tokenizer.json.gz", inner.tokenizer)):
        file.write_bytes(gzip.decompress(packed.read_bytes()))
    said = json.loads((place / "export.json").read_text(encoding="utf-8"))
    return open_export(task, said["spec"], inner, {**said["graph"], "optimised": False})


def _fits(value: Any, longest: int) -> bool:
    """Whether a page reads it."""
    return not isinstance(value, str) or len(value) <= longest


def _asked(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: record[name] for name in names if record.get(name) is not None}


def _hard(like: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Hard texts in place of a record's own; of a pair, one after the other and both."""
    texts = [name for name in names if isinstance(like.get(name), str)]
    single = [{**like, texts[0]: text} for text in HARD]
    pairs = [{**like, texts[1]: text} for text in HARD if text] if len(texts) > 1 else []
    both = (
        [{**like, texts[0]: one, texts[1]: other} for one, other in zip(HARD, HARD[::-1], strict=True) if other] if len(texts) > 1 else []
    )
    return [*single, *pairs, *both]


def _opened(
    place: Path,
    program: str,
    records: Sequence[Mapping[str, Any]],
    shown: Sequence[Mapping[str, Any]],
    headers: Mapping[str, str],
    observer: Observer,
) -> tuple[dict[str, Any], int]:
    """What the page answered, and how many bytes it fetched for that."""
    work = json.dumps({"records": records, "shown": shown}).encode()
    with served({"/": place, "/.trial/": TRIAL}, {"/.trial/work.json": work}, headers) as server:
        with chromium.opened(f"{server.url}.trial/index.html", program) as browser:
            told = _heard(server, browser, lambda done: observer.progress("ask", done, len(records), {}))
            observer.progress("ask", len(records), len(records), {})
        sent = sum(bytes for path, bytes in server.sent.items() if not path.startswith("/.trial/"))
    if "failed" in told:
        message = _("The page does not open in Chromium: {reason}. Nothing was published.")
        raise GateError(message.format(reason=_("; ").join([told["failed"], *told["complaints"]])))
    return told, sent


def _heard(server: Served, browser: chromium.Opened, alive: Callable[[int], None]) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            path, content = server.heard.get(timeout=0.2)
        except queue.Empty:
            if (code := browser.process.poll()) is not None:
                message = _("Chromium ended before the page had answered (exit {code}): {said}. Nothing was published.")
                raise GateError(message.format(code=code, said=browser.last_words() or "-")) from None
            continue
        if path.endswith("/done"):
            return dict(json.loads(content))
        if path.endswith("/alive"):
            alive(int(json.loads(content)))
        end = time.monotonic() + PATIENCE
    message = _("The page said nothing for {seconds:.0f} s in Chromium, whose own last words are: {said}. Nothing was published.")
    raise GateError(message.format(seconds=PATIENCE, said=browser.last_words() or "-"))


def _compared(predictor: "Predictor", records: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]], held: int) -> _Found:
    found = _Found()
    for at, (record, answer) in enumerate(zip(records, answers, strict=True)):
        if "prediction" not in answer:
            if answer["problem"] != REFUSED or not any(isinstance(text, str) and _CHINESE.search(text) for text in record.values()):
                found.wrong.append((at, answer["told"]))
            elif at < held:
                found.refused += 1
            continue
        features = predictor.encode(record)
        if [one.inputs["input_ids"] for one in features] != answer["tokens"]:
            found.wrong.append((at, _("its tokens are others")))
            continue
        outputs = [predictor.backend.run([one])[0] for one in features]
        prediction = predictor.task.decode(record, features, outputs, predictor.spec, predictor.processor)
        said = json.loads(json.dumps({key: value for key, value in prediction.items() if not key.startswith("_")}))
        apart = distance(said, answer["prediction"])
        found.largest = max(found.largest, apart)
        if apart > APART:
            found.wrong.append((at, json.dumps(answer["prediction"], ensure_ascii=False)[:200]))
    return found


def _judge(
    found: _Found, told: Mapping[str, Any], records: Sequence[Mapping[str, Any]], held: int, hidden: Mapping[int, Mapping[str, Any]]
) -> None:
    """Raises GateError where anything is not as it should be. Of rows that the page does not show no word is said, in answers neither.

    Args:
        held: how many of the records are rows; they come first.
        hidden: where those of them stand that the page does not show, by their places among the records.
    """
    if 2 * found.refused > held:
        message = _(
            "The page would answer few of the run's texts: {refused} of {held} held-out rows have Chinese in them, whose words are found "
            "with a dictionary that no page has. Nothing was published. A Space that answers on a server has it: --sdk gradio"
        )
        raise GateError(message.format(refused=found.refused, held=held))
    if found.wrong:
        figures = {"wrong": len(found.wrong), "count": len(records), "difference": found.largest, "most": APART}
        at, said = found.wrong[0]
        if at in hidden:
            message = _(
                "The page does not answer as its model does: {wrong} of {count} answers differ (numbers by up to {difference:.1e}; "
                "{most:g} is allowed), the first on row {row} of {source}, whose text is not shown. Nothing was published."
            )
            raise GateError(message.format(**figures, row=hidden[at]["row"], source=file_name(hidden[at]["source"])))
        text = " ".join(str(next(value for value in records[at].values() if isinstance(value, str))).split())
        message = _(
            "The page does not answer as its model does: {wrong} of {count} answers differ (numbers by up to {difference:.1e}; {most:g} is "
            'allowed), the first on "{text}": {said}. Nothing was published.'
        )
        raise GateError(message.format(**figures, text=text[:80], said=said))
    strange = [*told["others"], *told["complaints"]]
    if strange:
        message = _("The page asks other hosts, or complains: {what}. Nothing was published.")
        raise GateError(message.format(what=_("; ").join(strange)[:500]))
    if "prediction" not in told["first"]:
        message = _("The page has no answer to its own example: {reason}. Nothing was published.")
        raise GateError(message.format(reason=told["first"]["told"]))
    seen = told["seen"]
    if seen["problem"] is not None or seen["missing"] or not seen["text"].strip():
        message = _('The page does not show the answer to its own example; what can be read there is "{text}". Nothing was published.')
        raise GateError(message.format(text=seen["text"][:200]))
