// Outputs become the answer, by the table that the task declared: kinds of decoding, no tasks. Each does what the task's own `decode` does
// in Python, and the gate (trial.py) holds it to that. Outputs of a features: {name: {dims, data}}, without the axis of rows.

import { likeliestTags, spansOf } from "./entities.js";

function softmax(logits) {
  const most = Math.max(...logits);
  const exponents = logits.map((value) => Math.exp(value - most));
  const sum = exponents.reduce((total, value) => total + value, 0);
  return exponents.map((value) => value / sum);
}

const first = (values) => values.reduce((best, value, at) => (value > values[best] ? at : best), 0);
const named = (labels, values) => Object.fromEntries(labels.map((label, at) => [label, values[at]]));

function likeliest(labels, probabilities) {
  const best = first(probabilities);
  return { label: labels[best], score: probabilities[best], probabilities: named(labels, probabilities) };
}

const numbers = (output) => Array.from(output.data, Number);
const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);

// Of length 1; all zeros stay.
function unit(vector) {
  const length = Math.sqrt(dot(vector, vector));
  return length ? vector.map((value) => value / length) : vector;
}

function chosenLabels(record, { labels }) { return record.labels ?? labels; }

// What every label's sentence says, as probabilities: alone, or against each other.
function fitting(record, table, alone, together) {
  const labels = chosenLabels(record, table);
  const probabilities = table.multi_label || labels.length === 1 ? alone() : together();
  const answer = likeliest(labels, probabilities);
  if (table.multi_label) answer.labels = labels.filter((_label, at) => probabilities[at] >= 0.5);
  return { ...answer, method: table.method };
}

export const DECODERS = {
  softmax: (record, features, [output], { labels }) => likeliest(labels, softmax(numbers(output.logits))),

  sigmoid(record, features, [output], { labels, threshold }) {
    const each = numbers(output.logits).map((logit) => 1 / (1 + Math.exp(-logit)));
    const order = labels.map((_label, at) => at).sort((one, other) => each[other] - each[one] || one - other);
    const least = (at) => (Array.isArray(threshold) ? threshold[at] : threshold);
    return { labels: order.filter((at) => each[at] >= least(at)).map((at) => labels[at]), probabilities: named(labels, each) };
  },

  number: (record, features, [output], { mean, std }) => ({ value: numbers(output.logits)[0] * std + mean }),

  entities(record, features, outputs, { tags, types, chained }) {
    const words = features.flatMap(({ judged }) => judged);
    if (!words.length) return { spans: [] };
    const rows = features.flatMap(({ judged }, at) => judged.map(({ token }) => {
      const { data } = outputs[at].logits;
      return Array.from(data.subarray(token * tags.length, (token + 1) * tags.length), Number);
    }));
    const scores = rows.map((logits) => softmax(logits).map(Math.log));
    const path = chained ? likeliestTags(scores, types) : scores.map(first);
    return { spans: spansOf([...record.text], words, path, path.map((tag, at) => Math.exp(scores[at][tag])), types) };
  },

  vectors(record, features, outputs, { digits }) {
    const scale = 10 ** digits;
    const vectors = outputs.map(({ vector }) => numbers(vector));
    const answer = {};
    ["vector", "pair_vector"].forEach((name, at) => { if (vectors[at]) answer[name] = vectors[at].map((value) => Math.round(value * scale) / scale); });
    if (vectors.length > 1) answer.similarity = dot(unit(vectors[0]), unit(vectors[1]));
    return answer;
  },

  entailment(record, features, outputs, table) {
    const logits = outputs.map((output) => numbers(output.logits));
    return fitting(
      record, table,
      () => logits.map((row) => softmax([row[table.contradicted], row[table.entailed]])[1]),
      () => softmax(logits.map((row) => row[table.entailed])),
    );
  },

  nearness(record, features, outputs, table) {
    const [text, ...sentences] = outputs.map(({ vector }) => unit(numbers(vector)));
    const near = sentences.map((sentence) => dot(text, sentence));
    return fitting(
      record, table,
      () => near.map((value) => Math.min(1, Math.max(0, value))),
      () => softmax(near.map((value) => value * table.scale)),
    );
  },

  // By maximal marginal relevance: close to the text, and not to what was chosen before.
  keywords(record, features, outputs, { top_k, diversity, digits }) {
    const scale = 10 ** digits;
    const [text, ...others] = outputs.map(({ vector }) => unit(numbers(vector)));
    const near = others.map((other) => dot(other, text));
    const closest = others.map(() => 0);
    const chosen = [];
    while (chosen.length < Math.min(top_k, others.length)) {
      const worth = others.map((_other, at) => (chosen.includes(at) ? -Infinity : (1 - diversity) * near[at] - diversity * closest[at]));
      const best = first(worth.map((value) => Math.round(value * scale)));
      others.forEach((other, at) => {
        const alike = dot(others[best], other);
        closest[at] = chosen.length ? Math.max(closest[at], alike) : alike;
      });
      chosen.push(best);
    }
    return { keywords: chosen.map((at) => ({ keyword: features[1 + at].keyword, score: near[at] })) };
  },
};
