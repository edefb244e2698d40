// What could be a keyword of a text. Does what data/candidates.py does for texts without Chinese, by the rule in the table: Chinese words
// want a dictionary of 5 MB, so such a text is refused.

import { Problem } from "./problem.js";
import { isAlphanumeric, isBlank } from "./tables.js";
import { wordsIn } from "./words.js";

const HAN = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{323af}]/u;
const HELD = /[-‐'’]/u;
const NUMBER = /^[\p{Nd}.,%]+$/u;

// White space runs as one space, as Python's split() sees it: \s holds U+FEFF and lacks the separators U+001C to U+001F.
const spaced = (text) => [...text].map((one) => (isBlank(one) ? " " : one)).join("").split(" ").filter(Boolean).join(" ");

// As Python's isupper(): no letter of it is small.
const isUpper = (text) => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);

// When two texts count as the same, see data/normalising.py.
function same(text, folded) {
  const plain = /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase()
    : [...text.normalize("NFKC")].map((one) => folded[one] ?? one.toLowerCase()).join("").replace(/[\u200b\ufeff]/g, "");
  return spaced(plain);
}

// Words that a hyphen or an apostrophe holds together, as one.
function joined(text, words) {
  const made = [];
  let held = false;
  for (const [start, end] of words) {
    const last = made[made.length - 1];
    const touching = last && last[1] === start;
    const next = text[end] ?? "";
    if (touching && end - start === 1 && HELD.test(text[start]) && /^[0-9A-Za-z]$/.test(next)) {
      last[1] = end;
      held = true;
    } else if (touching && held) {
      last[1] = end;
      held = false;
    } else {
      made.push([start, end]);
      held = false;
    }
  }
  return made;
}

export function candidates(written, { stop_words, adverb, longest_run, most, folded }) {
  if (HAN.test(written)) throw new Problem("no_chinese");
  const text = [...written];
  const stops = new Set(stop_words);
  const adverbs = new RegExp(adverb, "u");
  const said = (start, end) => text.slice(start, end).join("");
  const runs = [[]];
  for (const [start, end] of joined(text, wordsIn(text))) {
    const word = said(start, end).toLowerCase();
    const empty = word.split(HELD).every((part) => stops.has(part)) || adverbs.test(word);
    if (empty || NUMBER.test(word) || !isAlphanumeric([...word][0])) { runs.push([]); continue; }
    const last = runs[runs.length - 1];
    if (last.length && !["", " "].includes(said(last[last.length - 1][1], start))) runs.push([]);
    runs[runs.length - 1].push([start, end]);
  }
  const found = new Map();
  for (const run of runs) {
    run.forEach(([start], first) => {
      for (let last = first; last < Math.min(run.length, first + longest_run); last += 1) {
        const part = said(start, run[last][1]);
        const length = [...part].length;
        if (!(length > 2 || (length > 1 && isUpper(part)))) continue;
        const key = same(part, folded);
        if (!found.has(key)) found.set(key, { text: spaced(part), count: 0 });
        found.get(key).count += 1;
      }
    });
  }
  const all = [...found.values()].map((one, at) => ({ ...one, at }));
  const kept = all.sort((one, other) => other.count - one.count || one.at - other.at).slice(0, most);
  return kept.sort((one, other) => one.at - other.at).map((one) => one.text);
}
