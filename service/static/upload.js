// Sends a file in pieces (tus 1.0); after a cut or a reload it goes on where it was, given the same file again.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form.qt-upload");
  if (!form) return;
  const PIECE = 2 << 20, WAITS = [1, 2, 5, 10, 30], MB = 1048576;
  const input = form.querySelector("input[type=file]"), button = form.querySelector("button");
  const how = form.querySelector(".qt-upload__how"), bar = how.querySelector("progress");
  const status = form.querySelector("[aria-live]");
  const say = (text, blanks = {}) => {
    status.textContent = text.replace(/\{(\w+)\}/g, (_all, name) => blanks[name]);
  };
  const rest = (seconds) => new Promise((done) => { setTimeout(done, seconds * 1000); });
  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
  const word = (text) => base64(new TextEncoder().encode(text));

  const ask = async (method, url, headers = {}, body = undefined) => {
    const answer = await fetch(url, { method, headers: { "Tus-Resumable": "1.0.0", ...headers }, body });
    if (answer.ok) return answer;
    const problem = method === "HEAD" ? {} : await answer.json().catch(() => ({}));
    const said = (problem.errors || []).map((error) => error.message).join(" ") || problem.detail || problem.title;
    throw Object.assign(new Error(said || answer.statusText), { status: answer.status });
  };

  const begin = async (file, fingerprint) => {
    const there = [...document.querySelectorAll("[data-fingerprint]")].find((row) => row.dataset.fingerprint === fingerprint);
    if (there) {
      say(form.dataset.resumes);
      return there.dataset.url;
    }
    const about = { dataset: form.dataset.dataset, filename: file.name, fingerprint };
    const metadata = Object.entries(about).map(([name, value]) => `${name} ${word(value)}`).join(",");
    const answer = await ask("POST", "/api/v1/uploads", { "Upload-Length": String(file.size), "Upload-Metadata": metadata });
    return new URL(answer.headers.get("Location")).pathname;
  };

  const send = async (file, url, offset) => {
    const piece = await file.slice(offset, offset + PIECE).arrayBuffer();
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    if (crypto.subtle) headers["Upload-Checksum"] = `sha256 ${base64(await crypto.subtle.digest("SHA-256", piece))}`;
    return Number((await ask("PATCH", url, headers, piece)).headers.get("Upload-Offset"));
  };

  const sendAll = async (file, url) => {
    let offset = -1;
    for (let failed = 0; offset < file.size;) {
      try {
        if (offset < 0) offset = Number((await ask("HEAD", url)).headers.get("Upload-Offset"));
        if (offset < file.size) offset = await send(file, url, offset);
        failed = 0;
        bar.value = (100 * offset) / file.size;
        say(form.dataset.sent, { done: (offset / MB).toFixed(1), all: (file.size / MB).toFixed(1), part: Math.floor(bar.value) });
      } catch (fault) {
        const passing = !fault.status || fault.status >= 500 || [409, 423, 429, 460].includes(fault.status);
        if (!passing || fault.status === 507) throw fault;
        const seconds = WAITS[Math.min(failed++, WAITS.length - 1)];
        say(form.dataset.waits, { n: seconds });
        await rest(seconds);
        offset = -1;
      }
    }
  };

  form.addEventListener("submit", async (event) => {
    const file = input.files[0];
    if (!file) return;
    event.preventDefault();
    if (file.size > Number(form.dataset.most)) { say(form.dataset.large); return; }
    [button.disabled, how.hidden] = [true, false];
    try {
      const url = await begin(file, `${file.name}:${file.size}:${file.lastModified}`);
      await sendAll(file, url);
      say(form.dataset.whole);
      location.assign(`${form.getAttribute("action")}/${url.split("/").pop()}`);
    } catch (fault) {
      say(`${form.dataset.failed}${fault.message}`);
      [button.disabled, how.hidden] = [false, true];
    }
  });
});
