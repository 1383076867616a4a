/* Previews: a card beside a link within the book that shows what the link leads to, for mouse and keyboard. A tap just
   follows the link. Nothing is fetched before the reader rests on a link to another page. */
(function () {
  "use strict";
  const LINKS = ".bd-article :is(a.reference.internal, a.footnote-reference):not(.headerlink, .sd-stretched-link)";
  const root = document.documentElement.dataset.content_root || "./";
  const home = new URL(root, location.href).href;
  let card = null;      // the one card, made when first needed
  let link = null;      // the link whose card is open or about to open
  let open = false;
  let dismissed = null; // the link whose card the reader has sent away
  let timer = 0;
  let others = null;    // promise of the targets on other pages

  function targets() {
    others = others || new Promise(resolve => {
      window.recurrencePreviews = resolve;
      const script = document.createElement("script");
      script.src = home + "_static/previews-targets.js";
      script.onerror = () => { others = null; resolve({}); };
      document.head.append(script);
    });
    return others;
  }

  const inHere = there => there.origin === location.origin && there.pathname === location.pathname;

  /** Promise of the element that a link leads to, on this page or in the file with those of the others. */
  async function target(there) {
    const anchor = decodeURIComponent(there.hash.slice(1));
    if (inHere(there)) return anchor ? document.getElementById(anchor) : document.querySelector(".bd-article section");
    if (!there.href.startsWith(home)) return null;
    const found = (await targets())[decodeURIComponent(there.href.slice(home.length)).replace(/#$/, "")];
    if (!found) return null;
    const template = document.createElement("template");
    template.innerHTML = found.replaceAll("%root%/", root);
    const made = template.content.firstElementChild;
    return made.localName === "dl" ? made.querySelector("dt") : made;
  }

  /** The part of a target that fits a card, as copies without ids, links and controls. */
  function excerpt(found) {
    if (found.localName === "span" && !found.textContent.trim()) found = found.closest("section") || found;
    let parts = [found];
    const child = names => [...found.children].find(one => one.matches(names));
    if (found.localName === "section") {
      parts = [child("h1, h2, h3, h4, h5, h6"), child("p")];
    } else if (found.localName === "dt") {
      let told = found.nextElementSibling;
      while (told && told.localName !== "dd") told = told.nextElementSibling;
      parts = [found, told && told.querySelector("p")];
    } else if (found.localName === "figure") {
      parts = [found.querySelector(".figure-pair, img"), found.querySelector("figcaption")];
    }
    const shown = document.createElement("div");
    for (const part of parts) {
      if (!part) continue;
      const copy = part.cloneNode(true);
      if (/^(h[1-6]|dt)$/.test(copy.localName)) {
        const title = document.createElement("p");
        title.className = copy.classList.contains("sig") ? "preview-signature" : "preview-title";
        title.append(...copy.childNodes);
        shown.append(title);
      } else shown.append(copy);
    }
    shown.querySelectorAll(".headerlink, .report, .viewcode-link, .flipbook-frame, .flipbook-controls, .toggle, script, button")
      .forEach(one => one.remove());
    shown.querySelectorAll(".flipbook-moved").forEach(one => one.classList.remove("flipbook-moved"));
    shown.querySelectorAll("img").forEach(one => one.removeAttribute("loading"));
    shown.querySelectorAll("a").forEach(one => one.replaceWith(...one.childNodes));
    shown.querySelectorAll("[id], [tabindex]").forEach(one => {
      one.removeAttribute("id");
      one.removeAttribute("tabindex");
    });
    return shown.textContent.trim() || shown.querySelector("img") ? shown : null;
  }

  function make() {
    card = document.createElement("div");
    card.id = "preview";
    card.className = "preview";
    card.setAttribute("role", "tooltip");
    card.hidden = true;
    (document.querySelector("main") || document.body).append(card);
    card.addEventListener("pointerenter", () => clearTimeout(timer));
    card.addEventListener("pointerleave", leave);
  }

  async function show(wanted, x, y) {
    const there = new URL(wanted.href, location.href);
    const found = await target(there);
    if (!found || wanted !== link || !wanted.isConnected) return;
    const shown = excerpt(found);
    if (!shown) return;
    if (!card) make();
    card.replaceChildren(shown);
    wanted.removeAttribute("title"); // the browser would lay it over the card
    wanted.setAttribute("aria-describedby", card.id);
    card.hidden = false;
    open = true;
    // A formula wider than the card is set smaller: a card has nothing to scroll.
    for (const formula of shown.querySelectorAll(".katex-display")) {
      const wide = formula.scrollWidth / formula.clientWidth;
      if (wide > 1) formula.style.fontSize = `${Math.max(0.6, 1 / wide)}em`;
    }
    shown.classList.toggle("preview-cut", shown.scrollHeight > shown.clientHeight + 1);
    place(wanted, x, y);
  }

  /** Put the card below the line of the link that the reader is at, or above where there is no room. */
  function place(wanted, x, y) {
    const lines = [...wanted.getClientRects()];
    const line = lines.find(one => x >= one.left && x <= one.right && y >= one.top && y <= one.bottom) || lines[0];
    card.style.left = card.style.top = "0";
    const at = card.getBoundingClientRect();
    const edge = document.documentElement.clientWidth - at.width - 8;
    const left = Math.max(8, Math.min(edge, line.left - 16));
    const below = line.bottom + 6;
    const above = line.top - at.height - 6;
    const top = below + at.height <= innerHeight || above < 0 ? below : above;
    card.style.left = `${left - at.left}px`;
    card.style.top = `${top - at.top}px`;
  }

  function close() {
    clearTimeout(timer);
    if (link) link.removeAttribute("aria-describedby");
    if (card) card.hidden = true;
    open = false;
    link = null;
  }

  /** The pointer or the focus has left: wait, so that it can cross over to the card; stay while the link has the focus. */
  function leave() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!(link && link === document.activeElement && link.matches(":focus-visible"))) close();
    }, 250);
  }

  function come(wanted, wait, x, y) {
    clearTimeout(timer);
    if (wanted === dismissed || (wanted === link && open)) return;
    if (link) close();
    dismissed = null;
    link = wanted;
    const there = new URL(wanted.href, location.href);
    if (!inHere(there) && there.href.startsWith(home)) targets();
    timer = setTimeout(() => show(wanted, x, y), wait);
  }

  document.addEventListener("pointerover", event => {
    const wanted = event.pointerType !== "touch" && event.target.closest && event.target.closest(LINKS);
    if (wanted) come(wanted, 300, event.clientX, event.clientY);
  });
  document.addEventListener("pointerout", event => {
    const left = event.target.closest && event.target.closest(LINKS);
    if (!left || left.contains(event.relatedTarget)) return;
    dismissed = null;
    if (left === link) leave();
  });
  document.addEventListener("focusin", event => {
    if (event.target.matches(LINKS) && event.target.matches(":focus-visible")) come(event.target, 100);
  });
  document.addEventListener("focusout", event => {
    dismissed = null;
    if (event.target === link) leave();
  });
  document.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !link) return;
    const sent = link;
    close();
    dismissed = sent;
  });
  document.addEventListener("click", event => {
    if (link && link.contains(event.target)) close();
  });
})();
