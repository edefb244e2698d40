// Whether a text is mostly Chinese, by the ranges that the table has of data/language.py.

const SAMPLE = 500; // characters
const WEIGHT = 2.5; // a Chinese character says as much as several letters

// In shares, as there: which of two equal ones is the larger hangs on how they were rounded. Latin goes first, then East Asian.
export function isMostlyChinese(text, scripts) {
  const counts = {};
  let total = 0;
  for (const character of [...text].slice(0, SAMPLE)) {
    const point = character.codePointAt(0);
    const found = scripts.find(([first, last]) => first <= point && point <= last);
    if (!found) continue;
    counts[found[2]] = (counts[found[2]] ?? 0) + 1;
    total += 1;
  }
  const { Han = 0, Hiragana = 0, Katakana = 0, Latin = 0, ...others } = counts;
  const kana = Hiragana / total + Katakana / total;
  const han = Han / total;
  const eastAsian = WEIGHT * (han + kana);
  return total > 0 && eastAsian > Latin / total && Object.values(others).every((count) => eastAsian >= count / total) && kana <= 0.05 * (han + kana);
}
