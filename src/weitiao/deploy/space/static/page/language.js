// Whether a text is mostly Chinese, by the ranges that the table has of data/language.py.

const SAMPLE = 500; // characters
const WEIGHT = 2.5; // a Chinese character says as much as several letters

export function isMostlyChinese(text, scripts) {
  const counts = {};
  for (const character of [...text].slice(0, SAMPLE)) {
    const point = character.codePointAt(0);
    const found = scripts.find(([first, last]) => first <= point && point <= last);
    if (found) counts[found[2]] = (counts[found[2]] ?? 0) + 1;
  }
  const { Han = 0, Hiragana = 0, Katakana = 0, ...others } = counts;
  const eastAsian = Han + Hiragana + Katakana;
  const most = Math.max(0, ...Object.values(others));
  return eastAsian > 0 && WEIGHT * eastAsian > most && Hiragana + Katakana <= 0.05 * eastAsian;
}
