// Draws an answer by what it holds, never by a task. Whatever came from outside becomes text, nothing becomes markup.

export function element(kind, { text, className, ...attributes } = {}, children = []) {
  const made = document.createElement(kind);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const digits = (value) => value.toFixed(3);
const MOST = 12; // labels with a bar at first

function bar(label, share, chosen) {
  const fill = element("i");
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element("li", { className: chosen ? "chosen" : "" }, [
    element("span", { text: label }),
    element("span", { className: "track" }, [fill]),
    element("span", { className: "share", text: digits(share) }),
  ]);
}

function bars(probabilities, chosen, say) {
  const order = Object.entries(probabilities).sort(([, one], [, other]) => other - one);
  const drawn = (part) => element("ul", { className: "bars" }, part.map(([label, share]) => bar(label, share, chosen.includes(label))));
  if (order.length <= MOST) return [drawn(order)];
  return [drawn(order.slice(0, MOST)), element("details", {}, [element("summary", { text: say("all_labels", { count: order.length }) }), drawn(order.slice(MOST))])];
}

const headed = (text, score) => element("p", { className: "main" }, [text, ...(score === undefined ? [] : [" ", element("small", { text: digits(score) })])]);
const nothing = (say) => element("p", { className: "main none", text: say("nothing") });

function marked(text, spans, kinds) {
  const characters = [...text];
  const parts = [];
  let at = 0;
  for (const { start, end, label, score } of [...spans].sort((one, other) => one.start - other.start)) {
    parts.push(characters.slice(at, start).join(""));
    parts.push(element("mark", { className: `c${kinds.indexOf(label) % 8}`, title: digits(score) }, [
      characters.slice(start, end).join(""), element("b", { text: label }),
    ]));
    at = end;
  }
  return element("p", { className: "marked" }, [...parts, characters.slice(at).join("")]);
}

function vector(numbers, say) {
  const shown = numbers.slice(0, 8).map((value) => value.toFixed(4)).join(", ");
  return element("details", {}, [
    element("summary", { text: say("numbers", { count: numbers.length }) }),
    element("p", { className: "numbers", text: `[${shown}${numbers.length > 8 ? ", …" : ""}]` }),
  ]);
}

// By the key that an answer has: the first that fits draws the main part.
const DRAWN = [
  ["labels", ({ labels, probabilities }, record, say) => [labels.length ? headed(labels.join(say("comma"))) : nothing(say), ...bars(probabilities, labels, say)]],
  ["label", ({ label, score, probabilities }, record, say) => [headed(label, score), ...bars(probabilities, [label], say)]],
  ["value", ({ value }) => [headed(digits(value))]],
  ["spans", ({ spans }, record, say) => {
    const kinds = [...new Set(spans.map(({ label }) => label))].sort();
    return [...(spans.length ? [] : [nothing(say)]), marked(record.text, spans, kinds)];
  }],
  ["similarity", ({ similarity, vector: one, pair_vector: other }, record, say) => [headed(digits(similarity)), element("ul", { className: "bars" }, [bar(say("similarity"), similarity, true)]), vector(one, say), vector(other, say)]],
  ["vector", ({ vector: numbers }, record, say) => [headed(say("a_vector", { count: numbers.length })), vector(numbers, say)]],
  ["keywords", ({ keywords }, record, say) => (keywords.length
    ? [element("div", { className: "chips" }, keywords.map(({ keyword, score }) => element("span", {}, [keyword, " ", element("small", { text: digits(score) })])))]
    : [nothing(say)])],
];

export function drawn(prediction, record, say) {
  const [, draw] = DRAWN.find(([key]) => key in prediction);
  return draw(prediction, record, say);
}
