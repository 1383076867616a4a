/* "Run this page": what happens from the moment the reader presses the button. Loaded only then. */

const versioned = name => new URL(name + new URL(import.meta.url).search, import.meta.url);
const WAY_ON = "The page itself is as it was. Other ways to run it stand in the menu at its top.";

const KEYS = "In a cell, Shift + Enter runs it and goes on to the next, Ctrl or ⌘ + Enter runs it, Escape leaves it.";

const SAID = {
  wasm: "This browser has no WebAssembly, or it is switched off, so Python cannot run in it.",
  module: "This browser cannot run modules in a worker, so Python cannot run beside the page. A newer one can.",
  network: "Python could not be fetched. Look after your connection and press the button again; what has come is kept.",
  start: "Python was fetched but did not start.",
  broken: "Python broke down, perhaps for want of memory, and starts anew. Cells have to be run again from the top.",
};

/** A worker of our own file, which is kept, so that Stop can start another one without a network. */
async function open(address, store) {
  const kept = globalThis.caches ? await caches.open(store).catch(() => null) : null;
  let answer = kept && await kept.match(address);
  if (!answer) {
    answer = await fetch(address);
    if (!answer.ok) throw new Error(`unreachable: ${address}`);
    if (kept) await kept.put(address, answer.clone()).catch(() => {});
  }
  const url = URL.createObjectURL(new Blob([await answer.text()], { type: "text/javascript" }));
  return new Worker(url, { type: "module" });
}

/** Whether a worker may be a module: a browser that knows the option asks for it. */
function modulesInWorkers() {
  let asked = false;
  try {
    new Worker("data:text/javascript,", { get type() { asked = true; return "module"; } }).terminate();
  } catch {
    // Refused for another reason, after it has asked.
  }
  return asked;
}

/** A style sheet, from when it is there. */
function styled(address) {
  return new Promise((resolve, reject) => {
    const sheet = document.createElement("link");
    Object.assign(sheet, { rel: "stylesheet", href: address, onload: resolve });
    sheet.onerror = () => {
      sheet.remove();
      reject(new Error(`unreachable: ${address}`));
    };
    document.head.append(sheet);
  });
}

/** Take away what earlier versions of the book or of Pyodide have kept. */
async function tidy(stores) {
  if (!globalThis.caches) return;
  for (const name of await caches.keys().catch(() => [])) {
    if (name.startsWith("recurrence-run-") && !Object.values(stores).includes(name)) await caches.delete(name);
  }
}

/** Start the page. `control` is the element with the button, `config` what the book's build says of page and Python. */
export async function runPage(control, config) {
  const first = control.querySelector(".run-start");
  const note = control.querySelector(".run-note");
  const said = control.querySelector("[role=status]");
  const bar = control.querySelector("progress");
  const here = name => new URL(name, document.baseURI).href;
  const stores = config.python.caches;

  /** What the reader sees, and what a screen reader says at once. */
  function say(words) {
    note.textContent = said.textContent = words;
  }

  function refuse(reason) {
    say(`${SAID[reason]} ${WAY_ON}`);
    control.classList.add("run-refused");
    bar.hidden = true;
    first.disabled = false;
  }

  control.classList.remove("run-refused");
  if (typeof WebAssembly !== "object") return refuse("wasm");
  if (!modulesInWorkers()) return refuse("module");
  first.disabled = true;
  bar.hidden = false;
  let parts;
  try {
    parts = await Promise.all([import(versioned("./cells.mjs")), styled(versioned("./runner.css"))]);
  } catch {
    return refuse("network");
  }
  const { takeOver, element } = parts[0];
  const files = config.python.files.map(file => ({ ...file, address: here(file.address) }));
  const wire = files.reduce((sum, file) => sum + file.wire, 0);
  const python = { ...config.python, files, script: versioned("./run_cells.py").href };
  Object.assign(python, { base: here(python.base), wheel: here(python.wheel) });

  // ---- what the reader has changed, kept over a reload ----

  const path = `recurrence-edits:${location.pathname}`;
  let edits = {};
  try {
    edits = JSON.parse(localStorage.getItem(path)) || {};
  } catch {
    // Without storage, edits last as long as the page.
  }

  function save(cell, text) {
    if (text === undefined) delete edits[cell.spec.key];
    else edits[cell.spec.key] = text;
    resetAll.hidden = Object.keys(edits).length === 0;
    try {
      if (resetAll.hidden) localStorage.removeItem(path);
      else localStorage.setItem(path, JSON.stringify(edits));
    } catch {
      // As above.
    }
  }

  // ---- the buttons for all cells ----

  function plain(words, action) {
    const made = element("button", { type: "button", text: words });
    made.addEventListener("click", action);
    return made;
  }

  const all = plain("Run all", () => queue.length || (worker && !ready) ? stop() : request(cells));
  const resetAll = plain("Reset all", () => {
    cells.forEach(cell => {
      if (!cell.busy) cell.reset();
      save(cell, undefined);
    });
    all.focus();
    said.textContent = "All cells are as the book has them.";
  });
  resetAll.hidden = true;
  const focused = [first, document.body].includes(document.activeElement);
  first.replaceWith(element("div", { class: "run-all", role: "group", "aria-label": "All cells" }, all, resetAll));
  control.append(element("p", { class: "run-keys", id: "run-keys", text: KEYS }));
  control.classList.add("run-on");
  if (focused) all.focus();

  // ---- the cells, and those of them that wait for their turn ----

  const queue = []; // the first one runs
  let batch = null; // how many were asked for in one go, and when: for the words at the end
  const cells = config.cells.map(spec => takeOver(spec, edits[spec.key], {
    save,
    stop,
    // What stands above has to have run once.
    run: cell => request([...cells.filter(other => other.number < cell.number && !other.ran), cell]),
    runTo: cell => request(cells.filter(other => other.number <= cell.number)),
    next: cell => cells.find(other => other.number > cell.number && other.input && other.input.offsetParent)?.focus(),
  }));
  resetAll.hidden = !cells.some(cell => cell.changed());

  function request(wanted) {
    const added = wanted.filter(cell => !queue.includes(cell));
    if (!added.length) return;
    const idle = queue.length === 0;
    added.forEach(cell => cell.mark("waiting"));
    queue.push(...added);
    batch = { size: (idle ? 0 : batch.size) + added.length, begun: idle ? performance.now() : batch.begun };
    if (!worker) begin();
    else if (idle && ready) next();
    show();
  }

  function next() {
    const [cell] = queue;
    cell.begin();
    show();
    worker.postMessage({ do: "run", number: cell.number, source: cell.source() });
  }

  function ended({ number, well, seconds }) {
    const cell = queue.shift();
    const failed = !well && !cell.spec.raises;
    cell.end(failed ? "stopped by an error" : seconds < 0.05 ? "ran" : `ran in ${seconds.toFixed(1)} s`, failed);
    if (failed) {
      queue.splice(0).forEach(other => other.mark("not run"));
      show();
      say(`Cell ${number} stopped with an error${cell.input ? "." : "; it is not shown on the page."}`);
      if (cell.input) note.append(" ", element("a", { href: `#${cell.spec.id}`, text: "Go to it" }));
      return;
    }
    if (queue.length) return next();
    show();
    const took = ((performance.now() - batch.begun) / 1000).toFixed(1);
    say(batch.size === 1 ? `Cell ${number} ran in ${seconds.toFixed(1)} s.` : `${batch.size} cells ran in ${took} s.`);
  }

  function show() {
    const busy = queue.length > 0;
    all.textContent = busy || (worker && !ready) ? "Stop" : "Run all";
    if (!ready) return;
    bar.hidden = !busy;
    if (busy) {
      bar.max = batch.size;
      bar.value = batch.size - queue.length;
      note.textContent = `Running cell ${queue[0].number} of ${cells.length}`;
    }
  }

  // ---- Python ----

  let worker = null;
  let ready = false;
  let quarters = 0;
  const hear = {
    step({ step }) {
      bar.removeAttribute("value");
      if (step === "python") say("Starting Python");
    },
    bytes({ done }) {
      const share = done / wire;
      if (ready || share >= 1) return;
      bar.max = 1;
      bar.value = share;
      note.textContent = `Fetching Python: ${(done / 1e6).toFixed(1)} of ${(wire / 1e6).toFixed(1)} MB`;
      // A screen reader hears quarters, not every packet.
      if (Math.floor(share * 4) > quarters) {
        quarters = Math.floor(share * 4);
        said.textContent = `Fetching Python: ${quarters * 25} percent`;
      }
    },
    ready() {
      ready = true;
      tidy(stores);
      show();
      if (!queue.length) return say("Python is ready.");
      batch.begun = performance.now();
      said.textContent = "Python is ready. Running the cells.";
      next();
    },
    ended,
    broken({ message, running }) {
      if (running) return restart(SAID.broken);
      end();
      refuse(message.startsWith("unreachable") ? "network" : "start");
    },
  };

  /** Begin with a new Python, in which nothing has run. */
  async function begin() {
    control.classList.remove("run-refused");
    bar.hidden = false;
    bar.removeAttribute("value");
    quarters = 0;
    const mine = worker = {}; // a place held until the real one is here
    show();
    let made;
    try {
      made = await open(versioned("./worker.mjs").href, stores.book);
    } catch {
      end();
      return refuse("network");
    }
    if (worker !== mine) return made.terminate();
    worker = made;
    worker.onmessage = ({ data }) => (hear[data.kind] || (message => queue[0]?.show(message)))(data);
    worker.onerror = event => {
      event.preventDefault();
      hear.broken({ message: "", running: ready });
    };
    worker.postMessage({ do: "start", ...python });
  }

  function end() {
    worker?.terminate?.();
    worker = null;
    ready = false;
    queue.splice(0);
    cells.forEach(cell => cell.cut());
    bar.hidden = true;
    show();
  }

  function restart(words) {
    end();
    begin();
    say(words);
  }

  /** While Python is on its way there is nothing to start anew: the reader has thought better of it. */
  function stop() {
    if (ready) return restart("Stopped. Python starts anew, and cells have to be run again from the top.");
    end();
    say("Stopped. What had come by then is kept.");
  }

  request(cells);
}
