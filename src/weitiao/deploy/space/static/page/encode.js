// A record becomes features, by the table that the task declared (tasks/base.py, Task.in_browser): kinds of encoding, no tasks. Each does
// what the task's own `encode` does in Python, and the gate (trial.py) holds it to that.

import { judgedWords } from "./words.js";
import { candidates } from "./candidates.js";
import { Problem } from "./problem.js";
import { isMostlyChinese } from "./language.js";

const second = (record) => record.pair || null;

export const ENCODERS = {
  // One text, or a pair of texts read together.
  text(record, { tokenizer, pair, max_length }) {
    const other = second(record);
    if (pair === true && other === null) throw new Problem("second_missing");
    if (pair === false && other !== null) throw new Problem("second_given");
    return [tokenizer.text(record.text, other, max_length)];
  },

  // Every text by itself.
  texts(record, { tokenizer, fields, longest, max_length }) {
    const most = Math.min(max_length, longest ?? max_length);
    return fields.filter((name, at) => !at || record[name]).map((name) => tokenizer.text(record[name], null, most));
  },

  // A long text in windows, each with the words that it judges.
  windows(record, { tokenizer, stride, special, max_length }) {
    const shared = Math.min(stride, Math.max(0, Math.floor((max_length - special) / 2)));
    const windows = tokenizer.windows(record.text, max_length, shared);
    const judged = judgedWords([...record.text], windows, shared);
    windows.forEach((window, at) => { window.judged = judged[at]; });
    return windows;
  },

  // The text with a sentence for each label: as pairs, or each by itself.
  sentences(record, { tokenizer, labels, template, chinese, english, scripts, hole, paired, longest, max_length }) {
    const asked = record.labels ?? labels;
    if (!asked.length) throw new Problem("no_labels");
    const written = template || (isMostlyChinese(record.text, scripts) ? chinese : english);
    const sentences = asked.map((label) => written.split(hole).join(label));
    if (paired) return sentences.map((sentence) => tokenizer.text(record.text, sentence, max_length));
    const most = Math.min(max_length, longest ?? max_length);
    return [record.text, ...sentences].map((text) => tokenizer.text(text, null, most));
  },

  // The text, then each of its candidates for a keyword.
  candidates(record, { tokenizer, rule, longest, keyword_length, max_length }) {
    const text = tokenizer.text(record.text, null, Math.min(max_length, longest ?? max_length));
    const found = candidates(record.text, rule);
    return [text, ...found.map((word) => ({ ...tokenizer.text(word, null, Math.min(keyword_length, max_length)), keyword: word }))];
  },
};
