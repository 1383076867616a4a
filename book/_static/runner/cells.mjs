/* The cells of a page, as the reader works with them: each with an editor, buttons, a state, and what it shows.

   What the book printed is put aside, never thrown away: to reset a cell is to put it back. */

const versioned = name => new URL(name + new URL(import.meta.url).search, import.meta.url);
const { edit } = await import(versioned("./editor.mjs"));

/** An element with attributes and children; `text` is what it says. */
export function element(tag, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** A button that says to a screen reader which cell it is for. */
function button(words, number, action) {
  const made = element("button", { type: "button" }, element("span", { text: words }),
    element("span", { class: "run-unseen", text: ` cell ${number}` }));
  made.addEventListener("click", action);
  return made;
}

/** Take over one cell of the page. `on` has run, stop, runTo, next and save; `saved` is the reader's text, if any. */
export function takeOver(spec, saved, on) {
  const { number, source } = spec;
  const box = document.getElementById(spec.id);
  const input = box && box.querySelector(".cell_input");
  const printed = box && box.querySelector(".cell_output"); // what the book printed
  const figures = printed ? [...printed.children].filter(child => child.querySelector(".figure-pair")) : [];
  let output = printed;  // what stands in the page now
  let place = printed;   // where it stands while the cell shows nothing
  let fresh = null;      // what the running cell has shown so far
  let drawn = 0;
  let addresses = [];
  let editor = null;

  const changed = () => editor !== null && editor.text() !== source;

  const cell = {
    number,
    spec,
    input,
    ran: false,
    source: () => editor ? editor.text() : source,
    focus: () => editor && editor.focus(),
    changed,
    mark,
    reset,

    /** The cell's turn has come: what it showed before stays until it shows something new. */
    begin() {
      cell.ran = true;
      fresh = null;
      drawn = 0;
      mark("running");
      if (box) box.setAttribute("aria-busy", "true");
    },

    show(message) {
      if (!box || (spec.silent && message.kind !== "error")) return;
      if (!fresh) swap(fresh = element("div", { class: "cell_output docutils container run-output" }));
      render(message);
    },

    /** The cell has ended; `words` say how. What showed nothing this time is taken away. */
    end(words, failed = false) {
      if (!box) return;
      box.removeAttribute("aria-busy");
      if (!fresh && !spec.silent) swap(null);
      mark(words, failed);
    },

    /** The cell was cut off. */
    cut() {
      cell.ran = false;
      if (!box) return;
      const running = box.hasAttribute("aria-busy");
      box.removeAttribute("aria-busy");
      mark(running ? "stopped" : "");
    },
  };

  function mark(words, failed = false) {
    if (!cell.state) return;
    cell.busy = words === "running" || words === "waiting";
    cell.state.textContent = words === "running" ? "running …" : words;
    cell.state.classList.toggle("run-failed", failed);
    cell.run.firstChild.textContent = cell.busy ? "Stop" : "Run";
    cell.back.hidden = !changed();
  }

  function swap(next) {
    addresses.forEach(address => URL.revokeObjectURL(address));
    addresses = [];
    if (!place) box.append(place = document.createComment("output"));
    const now = output || place;
    const then = next || document.createComment("no output");
    now.replaceWith(then);
    place = then;
    output = next;
  }

  function reset() {
    if (editor && changed()) editor.write(source);
    if (output !== printed) swap(printed);
    mark("");
  }

  function picture(message) {
    const pair = element("span", { class: "figure-pair" });
    const [, width, height] = message.light.match(/<svg[^>]*?\swidth="([\d.]+)pt" height="([\d.]+)pt"/) || [];
    const old = figures[drawn] && figures[drawn].querySelector("img");
    const alt = message.alt || (old && !changed() ? old.alt : "Figure drawn by the code of this cell");
    for (const theme of ["light", "dark"]) {
      const src = URL.createObjectURL(new Blob([message[theme]], { type: "image/svg+xml" }));
      addresses.push(src);
      const image = element("img", { class: `for-${theme} dark-light`, alt, src });
      if (width) Object.assign(image, { width: Math.round(width * 96 / 72), height: Math.round(height * 96 / 72) });
      pair.append(image);
    }
    return pair;
  }

  /** A figure stands where the book had one, with its number and caption. */
  function framed(made) {
    const frame = figures[drawn] ? figures[drawn].cloneNode(true) : element("div", { class: "output" });
    const old = frame.querySelector(".flipbook, .figure-pair");
    if (old) old.replaceWith(made); else frame.append(made);
    drawn += 1;
    return frame;
  }

  function render(message) {
    const { kind } = message;
    if (kind === "stream") {
      const last = fresh.lastElementChild;
      if (last && last.dataset.stream === message.stream) last.querySelector("pre").append(message.text);
      else fresh.append(printedText(message.text, message.stream === "stderr" ? "stderr" : "stream", message.stream));
    } else if (kind === "text") {
      fresh.append(printedText(message.text, "text_plain"));
    } else if (kind === "error") {
      fresh.append(printedText(message.text, "run-error"));
    } else if (kind === "element") {
      fresh.append(message.element); // made elsewhere: by a server of the reader's own
    } else if (kind === "figure") {
      fresh.append(framed(picture(message)));
    } else if (kind === "flipbook") {
      fresh.append(framed(flipbook(message)));
      window.recurrenceFlipbook?.start(fresh);
    } else if (kind === "png") {
      const image = element("img", { src: `data:image/png;base64,${message.png}`, alt: "Picture made by the code of this cell" });
      fresh.append(framed(image));
    } else if (kind === "html") {
      const block = element("div", { class: "output text_html" });
      block.innerHTML = message.html;
      fresh.append(block);
    }
  }

  function flipbook(message) {
    const book = element("div", { class: "flipbook" });
    book.innerHTML = message.controls;
    book.prepend(picture(message));
    book.append(element("script", { type: "application/json", text: message.frames }));
    return book;
  }

  if (input) {
    const printedCode = input.firstElementChild;
    const host = element("div", { class: "run-editor" });
    printedCode.hidden = true;
    input.append(host);
    editor = edit(host, {
      text: saved === undefined ? source : saved,
      label: `Code of cell ${number}`,
      description: "run-keys",
      keys: [
        ["Shift-Enter", () => { on.run(cell); on.next(cell); }],
        ["Mod-Enter", () => on.run(cell)],
        ["Escape", () => cell.run.focus()],
      ],
      changed: text => {
        on.save(cell, text === source ? undefined : text);
        if (!cell.busy) mark(changed() ? "changed, not run" : "");
      },
    });
    cell.state = element("span", { class: "run-state" });
    cell.run = button("Run", number, () => cell.busy ? on.stop() : on.run(cell));
    cell.back = button("Reset", number, () => {
      reset();
      on.save(cell, undefined);
      cell.run.focus();
    });
    cell.back.hidden = true;
    input.append(element("div", { class: "run-bar", role: "group", "aria-label": `Cell ${number}` },
      element("span", { class: "run-state", text: `Cell ${number}` }), cell.run, button("Run to here", number, () => on.runTo(cell)), cell.back, cell.state));
    if (changed()) mark("changed, not run");
  }

  return cell;
}

/** Text as the book prints it. */
function printedText(text, kind, stream) {
  const block = element("div", { class: `output ${kind} highlight-myst-ansi notranslate` },
    element("div", { class: "highlight" }, element("pre", { text })));
  if (stream) block.dataset.stream = stream;
  return block;
}
