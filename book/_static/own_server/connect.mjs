/* A chapter's cells on a Jupyter server of the reader's own. Loaded when the reader asks for the form.

   `open()` shows the form below the chapter's title; `connect({ address, token })` is what its button does. While a
   server is connected, "Run this page" is out of sight, and <html> has `data-own-server`. What the book printed is
   kept by the cells (../runner/cells.mjs); thebe-core talks to the server and renders what comes back. */

const versioned = name => new URL(name + new URL(import.meta.url).search, import.meta.url);
const { element, takeOver } = await import(versioned("../runner/cells.mjs"));

const KEPT = "recurrence-own-server"; // in sessionStorage: gone with the tab
const LOOPBACK = /^(127(\.\d+){3}|localhost|\[::1\])$/;
const RELOAD = "Reload the page to have it as the book printed it.";
const KEYS = "In a cell, Shift + Enter runs it and goes on to the next, Ctrl or ⌘ + Enter runs it, Escape leaves it.";
const GUIDE = new URL("../../own_server.html", import.meta.url).href;

const SAID = {
  file: () => "This copy of the page is a file on your own machine, and browsers let no such page talk to a server: " +
    "open the chapter on the published site.",
  busy: () => "This page already runs in your browser: reload it, and then connect.",
  address: () => "This is not the address of a server: one looks like http://127.0.0.1:8888.",
  empty: () => "The token is missing: the server prints it when it starts, behind “token=”.",
  mixed: () => "This page came over https, so the browser lets it talk to your own machine (http://127.0.0.1:8888) " +
    "or to a server with https, but not to this address.",
  library: () => "The program that talks to servers could not be fetched: look after your connection and try again.",
  unreachable: base => `No server answers at ${base}: look whether it runs, whether the port is right, and whether ` +
    "the browser asked for leave to reach your own machine.",
  origin: base => `The server at ${base} runs, but it does not let pages from ${location.origin} in: start it with ` +
    `--ServerApp.allow_origin=${location.origin}.`,
  token: base => `The server at ${base} does not accept this token: copy it anew from where the server printed it.`,
  other: base => `What answers at ${base} is not a Jupyter server: look whether the port is right.`,
  kernel: () => "The server runs but could not start Python: what it prints says why.",
  died: () => "Python on your server died, perhaps for want of memory. A new one starts there, and cells have to be " +
    "run again from the top.",
  lost: () => "The connection to the server was lost, and what Python held there with it: look whether the server " +
    "runs, then connect again.",
  package: () => "The server’s Python does not have the book’s code: install it into the environment of the server.",
};

let panel = null; // the form and, once connected, the buttons for all cells
let held = null;  // the button "Run this page", while it must not be pressed, by the menu neither

/** A style sheet, from when it is there. */
function styled(address) {
  return new Promise((resolve, reject) => {
    const sheet = element("link", { rel: "stylesheet", href: address });
    Object.assign(sheet, { onload: resolve, onerror: () => { sheet.remove(); reject(new Error("sheet")); } });
    document.head.append(sheet);
  });
}

/** thebe-core, which is a script of the old kind and leaves its name on the window. */
function library() {
  if (window.thebeCore) return Promise.resolve(window.thebeCore);
  return new Promise((resolve, reject) => {
    const script = element("script", { src: versioned("../thebe/thebe-core.mjs").href });
    Object.assign(script, { onload: () => resolve(window.thebeCore), onerror: () => { script.remove(); reject(new Error("script")); } });
    document.head.append(script);
  });
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) || {};
  } catch {
    return {}; // without storage the reader types it again
  }
}

function remember(value) {
  try {
    if (value) sessionStorage.setItem(KEPT, JSON.stringify(value));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // As above.
  }
}

/** Show the form, or go to it where it is shown already. */
export async function open() {
  if (!panel) {
    await styled(versioned("../runner/runner.css"));
    panel = panel || build();
  }
  (panel.box.querySelector("input:enabled") || panel.box.querySelector("button:enabled"))?.focus();
}

/** Connect as the form's button does, with an address and a token that are known already. */
export async function connect({ address, token }) {
  await open();
  panel.fill(address, token);
  await panel.connect();
}

function build() {
  const control = document.querySelector("div.run-page");
  const config = JSON.parse(control.querySelector("script[type='application/json']").textContent);
  const known = remembered();
  const field = (name, words, more) => {
    const input = element("input", { id: `own-${name}`, autocomplete: "off", spellcheck: "false", required: "", ...more });
    return [element("label", {}, element("span", { text: words }), input), input];
  };
  const [addressLabel, address] = field("address", "Address", { type: "text", inputmode: "url" });
  const [tokenLabel, token] = field("token", "Token", { type: "password" });
  const go = element("button", { type: "submit", text: "Connect" });
  const close = element("button", { type: "button", text: "Close" });
  const note = element("p", { class: "run-note own-note", role: "status" });
  const command = `jupyter server --ip=127.0.0.1 --ServerApp.allow_origin=${location.origin}`;
  const form = element("form", { class: "own-form", novalidate: "" },
    element("p", {}, "Start the server in an environment that has the book’s code (",
      element("a", { href: GUIDE, text: "how, and what each word does" }), "):", element("code", { text: command })),
    element("div", { class: "own-fields" }, addressLabel, tokenLabel, go, close),
    element("p", { text: "Address and token stay in this tab until you close it, and go to that server alone." }));
  const box = element("section", { class: "run-page own-server", "aria-label": "My Jupyter server" },
    element("p", { class: "own-title" }, element("strong", { text: "My Jupyter server" })), form, note);
  address.value = known.address || "http://127.0.0.1:8888";
  token.value = known.token || "";
  control.after(box);

  let busy = false;
  const say = words => { note.textContent = words; };

  function refuse(reason, base) {
    say(SAID[reason](base));
    box.classList.add("run-refused");
  }

  async function begin() {
    if (busy) return;
    const start = control.querySelector(".run-start");
    box.classList.remove("run-refused");
    if (location.protocol === "file:") return refuse("file");
    if (!start || (start.disabled && start !== held)) return refuse("busy");
    const given = read(address.value, token.value);
    if (given.reason) return refuse(given.reason);
    address.value = given.base;
    token.value = given.token;
    held = start;
    busy = go.disabled = control.hidden = start.disabled = true;
    say(`Asking ${given.base}`);
    try {
      const thebe = await library().catch(() => { throw new Refusal("library"); });
      await look(given);
      say("Starting Python there");
      await run({ ...given, thebe, config, box, form, note });
    } catch (error) {
      if (!cellsOfPage) {
        control.hidden = start.disabled = false;
        held = null;
      }
      // What is none of the known failures happened between the server and its Python.
      refuse(error instanceof Refusal ? error.message : "kernel", given.base);
    } finally {
      busy = go.disabled = false;
    }
  }

  form.addEventListener("submit", event => {
    event.preventDefault();
    begin();
  });
  close.addEventListener("click", () => {
    box.remove();
    panel = null;
    if (location.hash === "#own-server") history.replaceState(null, "", location.pathname + location.search);
    control.querySelector("button")?.focus();
  });
  const fill = (where, what) => {
    address.value = where;
    token.value = what;
  };
  return { box, fill, connect: begin };
}

class Refusal extends Error {}

/** Address and token as the reader gave them; the server prints both in one, which will do as well. */
function read(address, token) {
  let url;
  if (/\s/.test(address.trim())) return { reason: "address" };
  try {
    url = new URL(address.trim().replace(/^(?!https?:\/\/)/i, "http://"));
  } catch {
    return { reason: "address" };
  }
  const found = token.trim() || url.searchParams.get("token") || "";
  const path = url.pathname.replace(/\/(lab|tree|notebooks|doc|login|api)(\/.*)?$/, "").replace(/\/$/, "");
  if (!found) return { reason: "empty" };
  if (location.protocol === "https:" && url.protocol === "http:" && !LOOPBACK.test(url.hostname)) return { reason: "mixed" };
  return { base: url.origin + path, token: found };
}

/** Look whether the server is there, lets this page in, and knows the token; a refusal says which of them fails. */
async function look({ base, token }) {
  const asked = { cache: "no-store", credentials: "omit" };
  // What needs no token tells the server that is not there from the one that refuses this page.
  const version = await fetch(`${base}/api`, asked).catch(() => null);
  if (!version) {
    const there = await fetch(`${base}/api`, { ...asked, mode: "no-cors" }).catch(() => null);
    throw new Refusal(there ? "origin" : "unreachable");
  }
  if (!version.ok || !(await version.json().catch(() => ({}))).version) throw new Refusal("other");
  const headers = { Authorization: `token ${token}` };
  const status = await fetch(`${base}/api/status`, { ...asked, headers }).catch(() => null);
  if (!status || !status.ok) throw new Refusal("token");
}

/** Start Python on the server, take over the cells, and run them all. */
async function run({ base, token, thebe, config, box, form, note }) {
  const path = `recurrence-${crypto.randomUUID()}.ipynb`; // a session of its own; no such file is written
  const { api, module } = thebe;
  const mathjax = { mathjaxUrl: "", mathjaxConfig: "" };
  const settings = api.makeConfiguration({
    useBinder: false, ...mathjax,
    serverSettings: { baseUrl: base, token, appendToken: true },
    kernelOptions: { kernelName: "python3", path },
    savedSessionOptions: { enabled: false },
  });
  const rendermime = api.makeRenderMimeRegistry(mathjax);
  const server = api.connectToJupyter(settings);
  let session;
  try {
    await server.ready;
    session = await server.startNewSession(rendermime, { kernelName: "python3", path });
  } catch (error) {
    server.dispose();
    throw error;
  }
  remember({ address: base, token });

  // ---- what the reader has changed, kept as "Run this page" keeps it ----

  const place = `recurrence-edits:${location.pathname}`;
  let edits = {};
  try {
    edits = JSON.parse(localStorage.getItem(place)) || {};
  } catch {
    // Without storage, edits last as long as the page.
  }

  function save(cell, text) {
    if (text === undefined) delete edits[cell.spec.key];
    else edits[cell.spec.key] = text;
    try {
      if (Object.keys(edits).length) localStorage.setItem(place, JSON.stringify(edits));
      else localStorage.removeItem(place);
    } catch {
      // As above.
    }
  }

  // ---- the buttons for all cells ----

  const plain = (words, action) => {
    const made = element("button", { type: "button", text: words });
    made.addEventListener("click", action);
    return made;
  };
  const all = plain("Run all", () => queue.length ? stop() : request(cells));
  const again = plain("Restart Python", () => restart());
  const leave = plain("Disconnect", () => {
    remember(null);
    close();
    say(`Disconnected, and Python on the server has ended; the token is forgotten. ${RELOAD}`);
  });
  const buttons = element("div", { class: "run-all", role: "group", "aria-label": "All cells" }, all, again, leave);
  const keys = element("p", { class: "run-keys", id: "run-keys", text: KEYS });
  form.hidden = true;
  note.before(buttons);
  box.append(keys);
  document.documentElement.dataset.ownServer = "";
  all.focus();

  const say = (words, failed = false) => {
    note.textContent = words;
    box.classList.toggle("run-refused", failed);
  };

  // ---- the cells, and those of them that wait for their turn ----

  let closed = false;
  let running = false;
  let seeking = false;
  let turn = 0; // changes when Python is started anew: what was asked of the old one is then of no interest
  const queue = [];
  // Connected a second time, the page has its cells already.
  const on = {
    save,
    stop,
    run: cell => request([...cells.filter(other => other.number < cell.number && !other.ran), cell]),
    runTo: cell => request(cells.filter(other => other.number <= cell.number)),
    next: cell => cells.find(other => other.number > cell.number && other.input && other.input.offsetParent)?.focus(),
  };
  const cells = taken(config, edits, on);

  function request(wanted) {
    const added = wanted.filter(cell => !queue.includes(cell));
    if (closed) return say(`No server is connected. ${RELOAD}`, true);
    added.forEach(cell => cell.mark("waiting"));
    queue.push(...added);
    work();
  }

  async function work() {
    if (running || !queue.length) return;
    running = true;
    all.textContent = "Stop";
    const mine = turn;
    const begun = performance.now();
    let count = 0;
    while (queue.length) {
      const [cell] = queue;
      note.textContent = `Running cell ${cell.number} of ${cells.length} on ${base}`;
      const cellBegun = performance.now();
      cell.begin();
      const result = await execute(cell);
      if (mine !== turn) return;
      queue.shift();
      count += 1;
      const took = ((performance.now() - cellBegun) / 1000).toFixed(1);
      const failed = Boolean(result.error) && !cell.spec.raises;
      cell.end(failed ? "stopped by an error" : `ran in ${took} s`, failed);
      if (failed) {
        queue.splice(0).forEach(other => other.mark("not run"));
        running = false;
        all.textContent = "Run all";
        const missing = result.error.ename === "ModuleNotFoundError" && result.error.evalue.includes("'recurrence'");
        say(missing ? SAID.package() : `Cell ${cell.number} stopped with an error.`, true);
        if (missing) note.append(" ", element("a", { href: GUIDE, text: "How" }));
        else if (cell.input) note.append(" ", element("a", { href: `#${cell.spec.id}`, text: "Go to it" }));
        return;
      }
    }
    running = false;
    all.textContent = "Run all";
    say(`${count} ${count === 1 ? "cell" : "cells"} ran in ${((performance.now() - begun) / 1000).toFixed(1)} s on ${base}.`);
  }

  /** Run one cell there; what it shows stands in the page from its first output on. */
  async function execute(cell) {
    const host = element("div", { class: "own-output" });
    const output = new module.ThebeCodeCell(`own-${cell.number}`, path, cell.source(), settings, {}, rendermime);
    output.attachToDOM(host);
    output.attachSession(session);
    let shown = false;
    const captions = captionsOf(cell);
    const mine = turn;
    output.model.changed.connect(() => {
      if (!shown && mine === turn && output.model.length) {
        shown = true;
        cell.show({ kind: "element", element: host });
        host.after(...captions.map(caption => caption.cloneNode(true)));
      }
      setTimeout(() => describe(host, cell), 0); // once it is drawn
    });
    const result = await output.execute();
    if (mine !== turn || !result) return { error: { ename: "", evalue: "" } };
    describe(host, cell);
    const [error] = result.error || [];
    if (error && cell.spec.silent) cell.show({ kind: "error", text: `${error.ename}: ${error.evalue}` });
    return { error };
  }

  // ---- Python over there ----

  function cut(words, failed = false) {
    turn += 1;
    running = false;
    queue.splice(0);
    cells.forEach(cell => cell.cut());
    all.textContent = "Run all";
    say(words, failed);
  }

  function stop() {
    queue.splice(1).forEach(other => other.mark("not run"));
    session.kernel.interrupt().catch(() => say(SAID.lost(), true));
    say("Stopping");
  }

  async function restart() {
    cut("Starting Python anew");
    const mine = turn;
    again.disabled = true;
    try {
      await session.restart();
      if (mine === turn) say("Python has started anew, and cells have to be run again from the top.");
    } catch {
      if (mine === turn) say(SAID.kernel(), true);
    } finally {
      again.disabled = false;
    }
  }

  function watch(kernel) {
    kernel.statusChanged.connect((_, status) => {
      if (closed || !["autorestarting", "dead"].includes(status)) return;
      cut(SAID.died(), true);
    });
    kernel.connectionStatusChanged.connect((_, status) => {
      if (!closed && status !== "connected") seek(kernel);
    });
  }

  /** The line is cut: a moment, while thebe tries to mend it, to find out whether its other end is still there. */
  async function seek(kernel) {
    if (seeking) return;
    seeking = true;
    for (let missed = 0; missed < 3 && !closed && kernel.connectionStatus !== "connected";) {
      await new Promise(resolve => setTimeout(resolve, 1000));
      const headers = { Authorization: `token ${token}` };
      const answer = await fetch(`${base}/api/kernels/${kernel.id}`, { headers, credentials: "omit" }).catch(() => null);
      missed = answer && answer.ok ? 0 : missed + 1;
      if (missed === 3) {
        close();
        say(SAID.lost(), true);
      }
    }
    seeking = false;
  }

  /** End it: the server gets its memory back, and the form returns. */
  function close() {
    if (closed) return;
    cut("");
    closed = true;
    removeEventListener("pagehide", hide);
    // Not thebe's own way, which a page that is being left has no time for.
    const headers = { Authorization: `token ${token}` };
    fetch(`${base}/api/sessions/${session.id}`, { method: "DELETE", headers, keepalive: true, credentials: "omit" }).catch(() => {});
    server.dispose();
    buttons.remove();
    keys.remove();
    form.hidden = false;
    delete document.documentElement.dataset.ownServer;
  }

  function hide() {
    close();
    say(SAID.lost(), true);
  }

  addEventListener("pagehide", hide);
  watch(session.kernel);
  request(cells);
}

let cellsOfPage = null;
let handlers = null;

/** The page's cells with their editors, taken over once; a later connection gets the same ones. */
function taken(config, edits, on) {
  handlers = on;
  const passed = Object.fromEntries(Object.keys(on).map(name => [name, (...given) => handlers[name](...given)]));
  cellsOfPage = cellsOfPage || config.cells.map(spec => takeOver(spec, edits[spec.key], passed));
  return cellsOfPage;
}

/** The captions of the figures that the book printed for a cell, which go with what the cell draws now. */
function captionsOf(cell) {
  const box = document.getElementById(cell.spec.id);
  cell.printed = cell.printed || [...(box ? box.querySelectorAll(".cell_output figure") : [])];
  return cell.printed.map(figure => {
    const caption = figure.querySelector("figcaption");
    return element("div", { id: figure.id, class: "own-caption" }, ...(caption ? [caption.cloneNode(true)] : []));
  });
}

/** Figures say what they show: in the words of the book where the cell is as the book has it. */
function describe(host, cell) {
  const alts = cell.printed.map(figure => figure.querySelector("img")?.alt);
  host.querySelectorAll("img:not([alt])").forEach((image, place) => {
    image.classList.add("dark-light"); // the theme would dim it in the dark; ours lays white under it
    image.alt = (!cell.changed() && alts[place]) || "Figure drawn by the code of this cell";
  });
}
