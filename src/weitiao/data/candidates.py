"""What could be a keyword of a text: its content words and the short runs of them that stand together. Stop words, signs and numbers part
the runs. A light rule in place of a parser: it knows two short lists of words, scripts, and nothing of meaning.
"""

import re
from dataclasses import dataclass
from typing import Any

from weitiao.data.normalising import normalise
from weitiao.data.whole_words import whole_words

MOST = 100  # candidates of a text
_LONGEST = 3  # words in a run
_LONGEST_CHINESE = 10  # characters in a run of Chinese words
_ENGLISH = """
a about above after again against all also although always am among an and another any are as at back be became because become
been before behind being below between both but by came can cannot could did do does doing done down during each easily either else etc
even ever every few find first for found from further gave get give given go goes got had has have having he her here hers
herself him himself his how however i if in into is it its itself just keep kept know known last later least less let like likely made
make makes making many may me might more most much must my myself need never new next no nor not nothing now of off often on once
one only onto or other others our ours out over own per perhaps please put rather really said same say says see seem seen several
shall she should show shown shows since so some something still such take taken than that the their theirs them themselves then
there therefore these they thing things this those though through thus to together too toward two under until up upon us use used
uses using very via want was way we well were what when where whether which while who whom whose why will with within without
would yet you your yours yourself three four five s t d ll re ve m don doesn didn isn aren wasn weren won
"""
_CHINESE = """
的 了 和 是 在 对 与 及 等 为 以 从 到 由 于 而 并 且 或 但 也 都 就 还 又 很 更 最 这 那 其 之 所 该 此 各 每 某
有 无 不 没 没有 可 可以 能 能够 会 要 将 把 被 让 使 给 向 往 上 下 中 内 外 里 前 后 时 间 个 种 类 次 些 我 你 他
她 它 我们 你们 他们 她们 它们 自己 本文 本 文中 文章 论文 提出 研究 分析 介绍 讨论 探讨 采用 利用 使用 运用 通过 根据 进行
具有 存在 作为 由于 因此 因为 所以 但是 然而 如果 虽然 而且 并且 以及 或者 不仅 同时 此外 另外 其中 其他 其它 之间 之后 之前
以后 以前 这种 这个 这些 那些 一种 一个 一些 一定 一般 主要 重要 不同 相关 有关 关于 对于 基于 针对 方面 情况 问题 结果 表明
说明 显示 认为 发现 得到 获得 给出 实现 较 较好 较为 比较 非常 十分 已 已经 正在 目的 方法 结论 目前 近年来 为了 什么 怎么 如何
为什么 这样 那样 出 来 去 说 看 做 想 地 得 着 过 吗 呢 吧 啊 呀 们 年 月 日 第 多 少 大 小 好 高 低 两 三 一 二 十
"""
_STOP = frozenset((_ENGLISH + _CHINESE).split())
_NUMBER = re.compile(r"[\d.,%]+")
_HELD = re.compile("[-‐'’]")  # "it's" says as little as "it" and "s"
_ADVERB = re.compile("(al|ab|ib|ent|ant|ous|iv|ed|ing|at|et|less|ful|ar)ly$")  # "family" and "supply" are none
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


@dataclass
class Candidate:
    """A run of words, as it was first written, and how often it occurs in the text."""

    text: str
    count: int = 0


def candidates(text: str, most: int = MOST) -> list[Candidate]:
    """The candidates of a text, in the order in which they first occur; of more than ``most`` the most frequent.

    >>> [one.text for one in candidates("The solar panels of the old house.")]
    ['solar', 'solar panels', 'panels', 'old', 'old house', 'house']

    Raises:
        UsageError: the text holds Chinese, and jieba is not installed.
    """
    found: dict[str, Candidate] = {}
    for run in _runs(text):
        for first in range(len(run)):
            for last in range(first, min(len(run), first + _LONGEST)):
                written = text[run[first][0] : run[last][1]]
                if _fits(written):
                    found.setdefault(normalise(written), Candidate(" ".join(written.split()))).count += 1
    kept = sorted(enumerate(found.values()), key=lambda item: (-item[1].count, item[0]))[:most]
    return [candidate for _at, candidate in sorted(kept, key=lambda item: item[0])]


def rule() -> dict[str, Any]:
    """By what candidates are found in texts without Chinese, as plain JSON: for a page that finds them by itself."""
    folded = {chr(point): chr(point).casefold() for point in range(128, 0x1E944) if chr(point).casefold() != chr(point).lower()}
    english = sorted(_ENGLISH.split())
    return {"stop_words": english, "adverb": _ADVERB.pattern, "longest_run": _LONGEST, "most": MOST, "folded": folded}


def _runs(text: str) -> list[list[tuple[int, int]]]:
    """Words, (start, end) each, that follow each other with no stop word, sign or number between, and at most one space."""
    runs: list[list[tuple[int, int]]] = [[]]
    for start, end in _with_hyphens(text, whole_words(text, "jieba")):
        word = text[start:end].lower()
        empty = all(part in _STOP for part in _HELD.split(word)) or _ADVERB.search(word)
        if empty or _NUMBER.fullmatch(word) or not word[0].isalnum():
            runs.append([])
            continue
        if runs[-1] and text[runs[-1][-1][1] : start] not in ("", " "):
            runs.append([])
        runs[-1].append((start, end))
    return [run for run in runs if run]


def _with_hyphens(text: str, words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Words that a hyphen or an apostrophe holds together, as one: "fine-tuning"."""
    joined: list[tuple[int, int]] = []
    held = False
    for start, end in words:
        touching = bool(joined) and joined[-1][1] == start
        if touching and _HELD.fullmatch(text[start:end]) and text[end : end + 1].isascii() and text[end : end + 1].isalnum():
            joined[-1], held = (joined[-1][0], end), True
        elif touching and held:
            joined[-1], held = (joined[-1][0], end), False
        else:
            joined.append((start, end))
            held = False
    return joined


def _fits(written: str) -> bool:
    """Whether a run is of a length that people give: a single Chinese character or letter says too little, half a sentence too much."""
    chinese = bool(_HAN.search(written))
    return 2 <= len(written) <= _LONGEST_CHINESE if chinese else len(written) > 2 or (written.isupper() and len(written) > 1)
