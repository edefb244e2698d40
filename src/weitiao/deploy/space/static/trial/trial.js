// Opens the page as a visitor would, asks it what the gate wants to know, and sends the answers back. See trial.py.

const send = (path, content) => fetch(path, { method: "POST", body: JSON.stringify(content) });
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const complaints = [];

async function asked(page, record) {
  try {
    const { prediction, tokens, ms } = await page.weitiao.ask(record);
    return { prediction, tokens, ms };
  } catch (error) {
    return { problem: error.name, told: error.message };
  }
}

// What a visitor must be able to read of an answer, whatever its page looks like.
function wanted({ label, score, labels, value, spans, keywords, similarity, vector }) {
  if (similarity !== undefined) return [similarity.toFixed(3)];
  if (vector) return [String(vector.length), vector[0].toFixed(4)];
  if (value !== undefined) return [value.toFixed(3)];
  return [...(labels ?? (label === undefined ? [] : [`${label} ${score.toFixed(3)}`])), ...(spans ?? []).map((one) => one.label), ...(keywords ?? []).map((one) => one.keyword)];
}

// What a visitor does: fills in the boxes, presses the button, reads.
async function read(page, record) {
  const { document } = page;
  for (const [name, value] of Object.entries(record)) {
    const box = document.getElementById(`input-${name}`);
    if (box) box.value = Array.isArray(value) ? value.join("\n") : value ?? "";
  }
  document.getElementById("form").requestSubmit();
  const answer = document.getElementById("answer");
  for (let waited = 0; waited < 60_000 && (!answer.textContent || answer.classList.contains("working")); waited += 20) await pause(20);
  return { text: answer.textContent.slice(0, 2000), problem: answer.querySelector(".problem")?.textContent ?? null, whole: answer.textContent };
}

// What stands on the page in answer to its own example; `missing` is what should and does not.
async function looked(page, record, { prediction }) {
  const { whole, ...seen } = await read(page, record);
  return { ...seen, missing: prediction ? wanted(prediction).filter((one) => !whole.includes(one)) : [] };
}

async function main() {
  const { records, shown: examples } = await (await fetch("work.json")).json();
  const began = performance.now();
  const frame = document.createElement("iframe");
  frame.style.cssText = "width:100%;height:90vh;border:0";
  document.body.append(frame);
  const loaded = new Promise((resolve) => { frame.addEventListener("load", resolve); });
  frame.src = "../index.html";
  await loaded;
  const page = frame.contentWindow;
  for (const kind of ["error", "unhandledrejection"]) page.addEventListener(kind, (event) => complaints.push(String(event.message ?? event.reason)));
  page.document.addEventListener("securitypolicyviolation", (event) => complaints.push(`${event.violatedDirective}: ${event.blockedURI}`));
  while (!page.weitiao) {
    if (page.document.getElementById("problem")) throw new Error(page.document.getElementById("problem").textContent);
    await pause(20);
  }
  const ready = await page.weitiao.ready;
  let [first, shown, opening] = [];
  for (shown of examples) {
    first = await asked(page, shown);
    opening ??= performance.now() - began;
    if (first.problem !== "no_chinese") break; // a page may say that a text is not for it
  }
  const seen = await looked(page, shown, first);
  const answers = [];
  for (const record of records) {
    answers.push(await asked(page, record));
    if (answers.length % 20 === 0) await send("alive", answers.length);
  }
  const others = page.performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => !name.startsWith(location.origin) && !/^(data|blob):/.test(name));
  await send("done", { answers, first, seen, ready, opening_ms: opening, others, complaints, isolated: page.crossOriginIsolated, agent: navigator.userAgent });
}

main().catch((error) => send("done", { failed: String(error?.message ?? error), complaints }));
