// Texts whose characters know where they came from, and what a tokenizer does to them first. Knows no vocabulary and no task.
// A text is an array of code points, as Python counts them: offsets mean the same on both sides.

import { isControl, isMark } from "./tables.js";

const SPACE = /^\p{White_Space}$/u;
const CHINESE = [
  [0x4e00, 0x9fff], [0x3400, 0x4dbf], [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f], [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff], [0x2f800, 0x2fa1f],
];

export const isSpace = (character) => SPACE.test(character);

function isChinese(character) {
  const point = character.codePointAt(0);
  return point >= 0x3400 && CHINESE.some(([first, last]) => first <= point && point <= last);
}

// {chars, starts, ends}: each character of a text as it is read, and the span of the text as it was written that it stands for.
export function aligned(characters) {
  return { chars: characters.slice(), starts: characters.map((_, at) => at), ends: characters.map((_, at) => at + 1) };
}

export function part(text, begin, end) {
  return { chars: text.chars.slice(begin, end), starts: text.starts.slice(begin, end), ends: text.ends.slice(begin, end) };
}

// Every character becomes the characters of what `change` gives for it, which stand for the same span.
function each(text, change) {
  const made = { chars: [], starts: [], ends: [] };
  text.chars.forEach((character, at) => {
    for (const one of change(character)) {
      made.chars.push(one);
      made.starts.push(text.starts[at]);
      made.ends.push(text.ends[at]);
    }
  });
  return made;
}

const clean = (text) => each(text, (one) => {
  if ("\t\n\r".includes(one)) return " ";
  if (isControl(one)) return "";
  return isSpace(one) ? " " : one;
});
const chineseApart = (text) => each(text, (one) => (isChinese(one) ? [" ", one, " "] : one));
const withoutAccents = (text) => each(text, (one) => [...one.normalize("NFD")].filter((made) => !isMark(made)));
const lower = (text) => each(text, (one) => one.toLowerCase()); // one by one: no letter knows that it ends a word

function bert(text, { clean_text, handle_chinese_chars, strip_accents, lowercase }) {
  if (clean_text) text = clean(text);
  if (handle_chinese_chars) text = chineseApart(text);
  if (strip_accents ?? lowercase) text = withoutAccents(text);
  return lowercase ? lower(text) : text;
}

// By the type that tokenizer.json names. What is not here is refused before a page is made, see reading.py.
const NORMALIZERS = {
  BertNormalizer: bert,
  Lowercase: lower,
  Sequence: (text, { normalizers }) => normalizers.reduce(normalised, text),
};

export function normalised(text, settings) {
  return settings ? NORMALIZERS[settings.type](text, settings) : text;
}
