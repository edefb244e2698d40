// Runs before anything else, in whatever browser: says plainly what is missing, in place of a page that never answers.
(function () {
  "use strict";
  var zh = /^zh/i.test(navigator.language || "");
  var missing = [];
  if (typeof WebAssembly !== "object" || typeof WebAssembly.instantiate !== "function") missing.push("WebAssembly");
  if (typeof Worker !== "function") missing.push("Web Worker");
  if (typeof DecompressionStream !== "function") missing.push("DecompressionStream");
  if (typeof BigInt64Array !== "function") missing.push("BigInt64Array");
  window.weitiaoMissing = missing;
  // Opened from a disk, no browser lets a page load its own parts.
  var fromDisk = location.protocol === "file:";
  if (!missing.length && !fromDisk) return;
  var text = zh
    ? "这个浏览器没有 " + missing.join("、") + "，模型无法在其中运行。请更新浏览器，或换用新版的 Chrome、Edge、Firefox 或 Safari，并检查 WebAssembly 是否被关闭。"
    : "This browser has no " + missing.join(", ") + ", so the model cannot run in it. Update it, or take a current Chrome, Edge, Firefox or Safari, and see whether WebAssembly was switched off.";
  if (fromDisk) text = zh
    ? "浏览器不允许直接从磁盘打开的网页装载模型。请在这个文件夹里输入 python -m http.server，然后打开 http://localhost:8000"
    : "A browser loads no model into a page that is opened from the disk. In this folder type: python -m http.server, then open http://localhost:8000";
  document.addEventListener("DOMContentLoaded", function () {
    var told = document.createElement("p");
    told.className = "problem";
    told.id = "problem";
    told.textContent = text;
    document.body.insertBefore(told, document.body.firstChild);
  });
})();
