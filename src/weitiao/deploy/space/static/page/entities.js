// Tags of words become entities. Does what data/tag_schemes.py and tasks/token_classification.py do; `types` are their parted tags,
// [prefix, label] each, ["", ""] outside.

// The best sequence of tags in which I- only goes on with its own type. `scores` are log-probabilities, a row a word.
export function likeliestTags(scores, types) {
  const follows = (before, after) => types[after][0] !== "I" || types[before][1] === types[after][1];
  const best = scores.map((row) => row.reduce((top, value, at) => (value > row[top] ? at : top), 0));
  if (types[best[0]][0] !== "I" && best.every((tag, at) => !at || follows(best[at - 1], tag))) return best;
  let reached = types.map(([prefix], tag) => (prefix === "I" ? -Infinity : scores[0][tag]));
  const back = [[]];
  for (let at = 1; at < scores.length; at += 1) {
    const from = types.map((_type, after) => {
      let top = -1;
      types.forEach((_before, before) => {
        if (top < 0 || (follows(before, after) ? reached[before] : -Infinity) > (follows(top, after) ? reached[top] : -Infinity)) top = before;
      });
      return top;
    });
    const before = reached;
    reached = types.map((_type, after) => (follows(from[after], after) ? before[from[after]] : -Infinity) + scores[at][after]);
    back.push(from);
  }
  const path = [reached.reduce((top, value, at) => (value > reached[top] ? at : top), 0)];
  for (let at = scores.length - 1; at > 0; at -= 1) path.unshift(back[at][path[0]]);
  return path;
}

// Entities as CoNLL's own scorer reads tags, by which no sequence is wrong.
function entities(path, types) {
  const found = [];
  let [first, going] = [0, ""];
  [...path.map((tag) => types[tag]), ["", ""]].forEach(([prefix, label], at) => {
    const [begins, ends] = ["BSU".includes(prefix) && prefix !== "", "ESLU".includes(prefix) && prefix !== ""];
    if (prefix && !begins && label === going) {
      if (ends) { found.push([first, at + 1, label]); going = ""; }
      return;
    }
    if (going) found.push([first, at, going]);
    going = "";
    if (ends) found.push([at, at + 1, label]);
    else if (prefix) [first, going] = [at, label];
  });
  return found;
}

export function spansOf(characters, words, path, scores, types) {
  return entities(path, types).map(([first, past, label]) => {
    const [start, end] = [words[first].start, words[past - 1].end];
    const own = scores.slice(first, past);
    return { start, end, label, text: characters.slice(start, end).join(""), score: own.reduce((sum, value) => sum + value, 0) / own.length };
  });
}
