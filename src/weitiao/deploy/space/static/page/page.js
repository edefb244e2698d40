// The page around the model: fields, examples, progress, answers. What it shows stands in task.json; the model runs in a worker. It knows no
// task, and everything that somebody typed or named is set as text.

import { drawn, element } from "./answers.js";

const at = (id) => document.getElementById(id);
const size = (bytes) => `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
const waiting = new Map();
const untouched = new Map();
let say;
let settings;
let worker;
let asked = 0;
let whenReady;
const ready = new Promise((resolve, reject) => { whenReady = { resolve, reject }; });
ready.catch(() => undefined); // told on the page

async function begin() {
  if (window.weitiaoMissing?.length) throw new Error(window.weitiaoMissing.join(", "));
  settings = await (await fetch("task.json")).json();
  const language = /^zh/i.test(navigator.language) ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  say = (name, values = {}) => (settings.words[language][name] ?? name).replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
  write(settings.about[language]);
  fields(language);
  examples();
  at("page").hidden = false;
  start();
}

function write({ eyebrow, summary, facts, notes }) {
  document.title = settings.name;
  at("name").textContent = settings.name;
  at("eyebrow").textContent = eyebrow;
  at("summary").textContent = summary;
  at("facts").append(...facts.map(({ title, value, beside }) => element("div", {}, [
    element("dt", { text: title }), element("dd", {}, [value, ...(beside ? [" ", element("small", { text: beside })] : [])]),
  ])));
  document.querySelector("#private span").textContent = say("private");
  at("ask").textContent = say("ask");
  at("doing").textContent = say("loading");
  document.querySelector("#examples h2").textContent = say("examples");
  at("about").append(...notes.map((text) => element("p", { text })));
}

// A box for each input; a list is typed one a line, as a label may hold any other mark.
function fields(language) {
  for (const [name, { title, lines, value }] of Object.entries(settings.inputs)) {
    const box = element(lines > 1 ? "textarea" : "input", { id: `input-${name}`, spellcheck: "false" });
    fill(box, value);
    untouched.set(name, box.value);
    box.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("form").requestSubmit(); });
    at("fields").append(element("div", { className: "field" }, [element("label", { for: `input-${name}`, text: title[language] }), box]));
  }
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    show(Object.fromEntries(Object.keys(settings.inputs).map((name) => [name, typed(name)])));
  });
}

function fill(box, value) { box.value = Array.isArray(value) ? value.join("\n") : value ?? ""; }

function typed(name) {
  const { value } = at(`input-${name}`);
  const { type, value: declared } = settings.inputs[name];
  if (type !== "choices") return value;
  if (declared && value === untouched.get(name)) return declared; // whatever stands in a label
  return [...new Set(value.split("\n").map((one) => one.trim()).filter(Boolean))];
}

function examples() {
  const shown = settings.examples.map((record) => {
    const button = element("button", { type: "button", text: shortened(Object.keys(settings.inputs).map((name) => record[name]).filter(Boolean).flat().join(" · ")) });
    button.addEventListener("click", () => {
      for (const [name, value] of Object.entries(record)) if (name in settings.inputs) fill(at(`input-${name}`), value);
      at("form").requestSubmit();
    });
    return button;
  });
  document.querySelector("#examples .chips").append(...shown);
  at("examples").hidden = !shown.length;
}

const shortened = (text) => { const characters = [...text]; return characters.length > 120 ? `${characters.slice(0, 119).join("")}…` : text; };

// A worker of a blob obeys the page's own rules about other hosts; one of a file would have none.
function start() {
  const code = `import ${JSON.stringify(new URL("worker.js", location.href).href)};`;
  worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
  worker.addEventListener("error", (event) => { event.preventDefault(); broken({ name: "worker_failed", values: { reason: event.message ?? "" } }); });
  worker.addEventListener("message", ({ data }) => HEARD[data.kind](data));
}

const HEARD = {
  begun() {
    // Half of what the system names as cores are cores; a browser that is not isolated from other pages allows one thread.
    const cores = navigator.hardwareConcurrency || 1;
    const threads = window.crossOriginIsolated && cores > 1 ? Math.max(2, Math.min(4, Math.floor(cores / 2))) : 1;
    const { files, version, encode, decode, inputs, max_length } = settings;
    worker.postMessage({ kind: "load", settings: { files, version, encode, decode, inputs, max_length }, base: location.href, threads });
  },
  progress({ done, total }) {
    at("bar").value = done / total;
    at("bytes").textContent = say("of", { done: size(done), total: size(total) });
  },
  reading() { at("doing").textContent = say("reading"); at("bar").removeAttribute("value"); },
  ready(facts) {
    at("loading").hidden = true;
    at("ask").disabled = false;
    at("hint").textContent = say("hint");
    whenReady.resolve(facts);
  },
  answer({ id, ...told }) { waiting.get(id).resolve(told); waiting.delete(id); },
  failed({ id, name, values }) {
    if (id === undefined) { broken({ name, values }); return; }
    waiting.get(id).reject(Object.assign(new Error(say(name, values)), { name }));
    waiting.delete(id);
  },
};

function broken({ name, values }) {
  at("loading").hidden = true;
  if (!at("problem")) at("form").before(element("p", { className: "problem", id: "problem", text: say(name, values) }));
  const error = new Error(say(name, values));
  whenReady.reject(error);
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
}

async function ask(record) {
  await ready;
  asked += 1;
  const id = asked;
  const answered = new Promise((resolve, reject) => { waiting.set(id, { resolve, reject }); });
  worker.postMessage({ kind: "ask", id, record });
  return answered;
}

let latest = 0;
async function show(record) {
  latest += 1;
  const turn = latest;
  const place = at("answer");
  const empty = Object.entries(settings.inputs).find(([name, { optional }]) => !optional && !String(record[name]).trim());
  if (empty) { place.replaceChildren(element("p", { className: "problem", text: say("empty") })); return; }
  place.classList.add("working");
  try {
    const { prediction, cut, ms } = await ask(record);
    if (turn !== latest) return; // somebody asked again meanwhile
    const notes = [...(cut ? [say("cut", { count: cut })] : []), say("took", { ms: ms < 10 ? ms.toFixed(1) : ms.toFixed(0) })];
    place.replaceChildren(...drawn(prediction, record, say), ...notes.map((text) => element("p", { className: "note", text })));
  } catch (error) {
    if (turn === latest) place.replaceChildren(element("p", { className: "problem", text: error.message }));
  } finally {
    if (turn === latest) place.classList.remove("working");
  }
}

// For whoever checks this page: what it answers, as numbers.
window.weitiao = { ready, ask };

begin().catch((error) => {
  if (!at("problem")) document.body.prepend(element("p", { className: "problem", id: "problem", text: `${error.message}` }));
  whenReady.reject(error);
});
