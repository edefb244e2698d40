// The large files: fetched once with a bar that shows real bytes, checked by their sha256, kept in the browser. Knows no model.

import { Problem } from "./problem.js";

// Pages of one host are told apart by where they are: no path has a space in it, and whatever else a page is called is no part of this.
const prefixOf = (base) => `weitiao ${new URL(".", base).pathname} `;

async function keptIn(name) {
  try {
    return await caches.open(name);
  } catch {
    return null; // no such thing outside https, or in a private window: fetched each time
  }
}

// The files of the table, unpacked: {name: ArrayBuffer}. `version` is of all of them, `progress` hears {done, total} in bytes; `fetched` says how many came by the network.
export async function large(files, base, version, progress) {
  const place = prefixOf(base) + version;
  const kept = await keptIn(place);
  const total = Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0);
  const got = Object.fromEntries(Object.keys(files).map((name) => [name, 0]));
  let fetched = 0;
  const tell = () => progress({ done: Object.values(got).reduce((sum, bytes) => sum + bytes, 0), total });
  const read = async ([name, file]) => {
    const url = new URL(`${file.path}?${file.sha256.slice(0, 16)}`, base).href;
    const before = await kept?.match(url).catch(() => undefined);
    if (before) {
      const content = await before.arrayBuffer().then(unpacked).catch(() => null); // a disk may damage what it keeps
      if (content && await genuine(content, file)) {
        got[name] = file.bytes;
        tell();
        return [name, content];
      }
      await kept.delete(url).catch(() => undefined);
    }
    const packed = await received(url, file, (bytes) => { got[name] = Math.min(bytes, file.bytes); tell(); });
    fetched += packed.byteLength;
    const content = await unpacked(packed).catch(() => null);
    if (!content || !(await genuine(content, file))) throw new Problem("file_damaged", { file: file.path });
    await kept?.put(url, new Response(packed)).catch(() => undefined); // a full disk is no reason not to answer
    return [name, content];
  };
  const read_all = await Promise.all(Object.entries(files).map(read));
  await forget(prefixOf(base), place);
  return { contents: Object.fromEntries(read_all), fetched };
}

async function received(url, { path }, progress) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store" }); // kept above: twice on a disk would be once too often
    if (!response.ok) throw new Error(String(response.status));
    const reader = response.body.getReader();
    const parts = [];
    let bytes = 0;
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      parts.push(value);
      bytes += value.byteLength;
      progress(bytes);
    }
    return await new Blob(parts).arrayBuffer();
  } catch (error) {
    throw new Problem("file_missing", { file: path, reason: error.message });
  }
}

// Some servers unpack a .gz on the way by themselves.
async function unpacked(buffer) {
  const [one, two] = new Uint8Array(buffer, 0, Math.min(2, buffer.byteLength));
  if (one !== 0x1f || two !== 0x8b) return buffer;
  return new Response(new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function genuine(content, { sha256, unpacked_bytes }) {
  if (content.byteLength !== unpacked_bytes) return false;
  if (!globalThis.crypto?.subtle) return true; // outside https: the size is all that can be checked
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

// What an earlier version of this page kept.
async function forget(prefix, place) {
  try {
    for (const other of await caches.keys()) if (other.startsWith(prefix) && other !== place) await caches.delete(other);
  } catch { /* nothing is kept then */ }
}
