// Answers records beside the page, which never waits: reads the model and the tokenizer, then encode -> forward -> decode. What a task means
// stands in the table that it is given; no task is known here.

import { DECODERS } from "./decode.js";
import { ENCODERS } from "./encode.js";
import { large } from "./files.js";
import * as ort from "./ort.mjs";
import { Problem } from "./problem.js";
import { Tokenizer } from "./tokenizer.js";

const TOKENS = 1024; // of the texts that go through the model together
const INPUTS = { input_ids: "input_ids", attention_mask: "attention_mask", token_type_ids: "token_type_ids" };
let table;
let session;
let tokenizer;

async function load({ settings, base, threads }) {
  table = settings;
  const began = performance.now();
  const { contents, fetched } = await large(table.files, base, table.version, (progress) => postMessage({ kind: "progress", ...progress }));
  const here = performance.now();
  postMessage({ kind: "reading" });
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmBinary = contents.runtime;
  tokenizer = new Tokenizer(JSON.parse(new TextDecoder().decode(contents.tokenizer)));
  try {
    session = await ort.InferenceSession.create(new Uint8Array(contents.model), { graphOptimizationLevel: "all" });
  } catch (error) {
    throw new Problem("model_unread", { reason: String(error?.message ?? error).slice(0, 300) });
  }
  await outputs([tokenizer.text("", null, 8)]); // the first pass is slow: nobody should wait for it
  const done = performance.now();
  postMessage({ kind: "ready", fetched, fetching_ms: here - began, reading_ms: done - here, threads });
}

function checked(record) {
  for (const [name, { longest }] of Object.entries(table.inputs)) {
    const text = record[name];
    if (typeof text === "string" && text.length > longest && [...text].length > longest) {
      throw new Problem("too_long", { most: longest, given: [...text].length });
    }
  }
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, typeof value === "string" ? wellFormed(value) : value]));
}

// Half a character, which no text can hold.
function wellFormed(text) { return text.toWellFormed?.() ?? text.replace(/\p{Cs}/gu, "\ufffd"); }

async function answer(given) {
  const began = performance.now();
  const record = checked(given);
  const features = ENCODERS[table.encode.kind](record, { ...table.encode, tokenizer, max_length: table.max_length });
  const told = await outputs(features);
  const prediction = DECODERS[table.decode.kind](record, features, told, table.decode);
  const cut = features.reduce((sum, one) => sum + one.cut, 0);
  return { prediction, cut, tokens: features.map(({ input_ids }) => input_ids), ms: performance.now() - began };
}

// The outputs of each features; those of one length go through together, so that none is padded.
async function outputs(features) {
  const told = new Array(features.length);
  const lengths = new Map();
  features.forEach(({ input_ids: { length } }, at) => lengths.set(length, [...(lengths.get(length) ?? []), at]));
  for (const [length, places] of lengths) {
    const most = Math.max(1, Math.floor(TOKENS / length));
    for (let begin = 0; begin < places.length; begin += most) await pass(features, places.slice(begin, begin + most), length, told);
  }
  return told;
}

async function pass(features, places, length, told) {
  const feeds = {};
  for (const name of session.inputNames) {
    const values = new BigInt64Array(places.length * length);
    places.forEach((at, row) => features[at][INPUTS[name]].forEach((value, column) => { values[row * length + column] = BigInt(value); }));
    feeds[name] = new ort.Tensor("int64", values, [places.length, length]);
  }
  const results = await session.run(feeds);
  places.forEach((at, row) => {
    told[at] = Object.fromEntries(Object.entries(results).map(([name, { data, dims }]) => {
      const size = data.length / places.length;
      return [name, { dims: dims.slice(1), data: data.slice(row * size, (row + 1) * size) }];
    }));
  });
}

const failure = (error) => (error instanceof Problem ? error.told : { name: "failed", values: { reason: String(error?.message ?? error).slice(0, 300) } });

// One after the other: a model answers one question at a time.
let last = Promise.resolve();
addEventListener("message", ({ data }) => {
  last = last.then(async () => {
    try {
      if (data.kind === "load") await load(data);
      else postMessage({ kind: "answer", id: data.id, ...(await answer(data.record)) });
    } catch (error) {
      postMessage({ kind: "failed", id: data.id, ...failure(error) });
    }
  });
});
postMessage({ kind: "begun" });
