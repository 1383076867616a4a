/* Python in a worker of its own, so that the page stays alive while cells run.

   The page sends {do: "start", ...} once and {do: "run", number, source} for each cell. It gets back what run_cells.py
   tells, and {kind: "step"}, {kind: "bytes"}, {kind: "ready"}, {kind: "ended"}, {kind: "broken"}. */

const network = self.fetch.bind(self);
const arriving = new Map(); // address → promise of its content
let python = null;
let cells = null;
let base = "";
let kept = {};   // what is kept of Pyodide and of the book, where the browser has such a thing
let total = {};  // address → bytes that travel
const done = {}; // address → share that has arrived

const tell = message => self.postMessage(message);

function report(address, share) {
  if (!(address in total)) return;
  done[address] = share;
  const sum = Object.entries(total).reduce((bytes, [name, size]) => bytes + size * (done[name] || 0), 0);
  tell({ kind: "bytes", done: sum });
}

/** The content of a file: kept from an earlier visit, or fetched, counted and kept. */
function content(address, size, options) {
  if (!arriving.has(address)) arriving.set(address, take(address, size, options));
  return arriving.get(address);
}

async function take(address, size, options) {
  const store = address.startsWith(base) ? kept.python : kept.book;
  const known = store && await store.match(address);
  if (known) {
    const bytes = await known.arrayBuffer();
    report(address, 1);
    return bytes;
  }
  let answer;
  try {
    answer = await network(address, options);
  } catch (error) {
    throw new Error(`unreachable: ${address}`, { cause: error });
  }
  if (!answer.ok) throw new Error(`unreachable: ${address} (${answer.status})`);
  const parts = [];
  const reader = answer.body.getReader();
  for (let length = 0; ;) {
    const { done: end, value } = await reader.read();
    if (end) break;
    parts.push(value);
    length += value.length;
    if (size) report(address, Math.min(1, length / size));
  }
  const bytes = await new Blob(parts).arrayBuffer();
  if (size && bytes.byteLength !== size) throw new Error(`unreachable: ${address} (cut short)`);
  report(address, 1);
  const type = answer.headers.get("Content-Type") || "application/octet-stream";
  // Without room it is fetched again the next time, and nothing else is lost.
  if (store) await store.put(address, new Response(bytes, { headers: { "Content-Type": type } })).catch(() => {});
  return bytes;
}

/** A module from a file that we keep: a browser would ask the network for it, which may be gone by now. */
async function module(address) {
  const url = URL.createObjectURL(new Blob([await content(address)], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function start({ files, packages, wheel, script, caches, ...more }) {
  base = more.base;
  for (const [name, store] of Object.entries(self.caches ? caches : {})) {
    kept[name] = await self.caches.open(store).catch(() => null);
  }
  total = Object.fromEntries(files.map(file => [file.address, file.wire]));
  tell({ kind: "step", step: "fetch" });
  // All at once. What fails is said where it is needed.
  for (const file of files) content(file.address, file.size).catch(() => {});
  self.fetch = async (request, options) => {
    const address = String(request.url || request);
    if (!address.startsWith(base)) return network(request, options);
    const type = address.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    // The options hold the hash that Pyodide's lock file names.
    return new Response(await content(address, undefined, options), { headers: { "Content-Type": type } });
  };
  const [{ loadPyodide }, { default: createPyodideModule }] = await Promise.all(
    ["pyodide.mjs", "pyodide.asm.mjs"].map(name => module(base + name)));
  await Promise.all([content(`${base}pyodide.asm.wasm`), content(`${base}python_stdlib.zip`)]);
  tell({ kind: "step", step: "python" });
  const quiet = () => {};
  python = await loadPyodide({
    indexURL: base, createPyodideModule, packages, stdout: quiet, stderr: quiet,
    env: { HOME: "/home/pyodide", MPLBACKEND: "agg", TQDM_DISABLE: "1" },
  });
  python.unpackArchive(await content(wheel), "wheel");
  python.FS.writeFile("/home/pyodide/run_cells.py", new Uint8Array(await content(script)));
  cells = python.pyimport("run_cells");
  cells.start(message => {
    tell(message.toJs({ dict_converter: Object.fromEntries }));
    message.destroy();
  });
  // Python has its own copies now.
  arriving.clear();
  tell({ kind: "ready" });
}

async function run({ number, source }) {
  // A reader may import what the page did not: what Pyodide has and we serve is added.
  await python.loadPackagesFromImports(source, { messageCallback() {}, errorCallback() {} }).catch(() => {});
  const begun = performance.now();
  const well = cells.run(source, `cell ${number}`);
  tell({ kind: "ended", number, well, seconds: (performance.now() - begun) / 1000 });
}

self.onmessage = async ({ data }) => {
  try {
    await (data.do === "start" ? start(data) : run(data));
  } catch (error) {
    tell({ kind: "broken", message: String(error && error.message || error), running: data.do === "run" });
  }
};
