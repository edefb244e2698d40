// Tokens gathered into the words that are judged one by one, each in the window where it has most text around it. Does what data/words.py
// and data/judged_words.py do.

import { isBlank, isLetter, isWordMark } from "./tables.js";


// Whether a word may begin at a character: not between two letters or digits of a script that has spaces.
export function beginsWord(text, at) {
  if (!at) return true;
  if (isWordMark(text[at])) return isBlank(text[at - 1]);
  let before = at - 1;
  while (before && isWordMark(text[before])) before -= 1;
  return !(isLetter(text[at]) && isLetter(text[before]));
}

// The words of a text, [start, end] each.
export function wordsIn(text) {
  const borders = text.flatMap((character, at) => (!isBlank(character) && beginsWord(text, at) ? [at] : []));
  return borders.map((start, place) => {
    let end = borders[place + 1] ?? text.length;
    while (end > start && isBlank(text[end - 1])) end -= 1;
    return [start, end];
  });
}


function wordsOf(text, offsets, numbers) {
  const words = [];
  let [lastNumber, lastEnd] = [null, 0];
  offsets.forEach(([first, past], token) => {
    const number = numbers[token];
    if (number === null) return;
    let [start, end] = [first, past];
    while (start < end && isBlank(text[start])) start += 1;
    while (start < end && isBlank(text[end - 1])) end -= 1;
    if (start === end) return;
    const last = words[words.length - 1];
    if (!last || (start >= lastEnd && (number !== lastNumber || start > lastEnd || beginsWord(text, start)))) words.push({ token, start, end });
    else if (end > last.end) last.end = end;
    [lastNumber, lastEnd] = [number, Math.max(end, lastEnd)];
  });
  return words;
}

export function judgedWords(text, windows, stride) {
  if (windows.length === 1) return [wordsOf(text, windows[0].offsets, windows[0].words)];
  const [offsets, numbers, reaches] = [[], [], []];
  for (const window of windows) {
    const inside = window.words.flatMap((number, at) => (number === null ? [] : [at]));
    const shared = reaches.length ? stride : 0;
    reaches.push([offsets.length - shared, offsets.length - shared + inside.length, inside[0]]);
    for (const at of inside.slice(shared)) {
      offsets.push(window.offsets[at]);
      numbers.push(window.words[at]);
    }
  }
  const judged = windows.map(() => []);
  let window = 0;
  for (const word of wordsOf(text, offsets, numbers)) {
    while (window + 1 < windows.length && word.token - reaches[window + 1][0] > reaches[window][1] - 1 - word.token) window += 1;
    const [first, , begin] = reaches[window];
    judged[window].push({ ...word, token: begin + word.token - first });
  }
  return judged;
}
