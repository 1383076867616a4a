/* The menu of all ways to run a page: it closes like a menu, starts what runs in the page itself, and remembers which
   way the reader took last. Without this script it still opens, and its links lead on. */
(function () {
  "use strict";

  function start() {
    const menu = document.querySelector(".ways");
    if (!menu) return;
    const summary = menu.querySelector("summary");
    const way = name => menu.querySelector('[data-way="' + name + '"]');
    const control = document.querySelector(".run-page");
    const close = () => { menu.open = false; };

    function offer(name, act) {
      const item = way(name);
      if (!item) return;
      item.hidden = false;
      item.querySelector("button").addEventListener("click", () => { close(); act(); });
    }

    // In a copy on the reader's own machine the control has no button, and nothing is offered.
    if (control && control.querySelector("button")) {
      offer("page", () => {
        const button = control.querySelector("button");
        control.scrollIntoView({ block: "center" });
        button.focus();
        button.click();
      });
      offer("own", () => {}); // its own script hears the click
    }
    offer("print", () => window.print());

    // The way taken last stands first, and says so.
    let last = null;
    try { last = way(localStorage.getItem("way")); } catch { /* Storage is blocked: nothing is remembered. */ }
    if (last && !last.hidden) {
      last.parentNode.prepend(last);
      const said = document.createElement("span");
      said.className = "ways-last";
      said.textContent = "Your choice last time.";
      last.querySelector("p").prepend(said, " ");
    }
    menu.addEventListener("click", event => {
      const item = event.target.closest("a, button") && event.target.closest("[data-way]");
      if (!item) return;
      try { localStorage.setItem("way", item.dataset.way); } catch { /* Then the next page knows nothing of it. */ }
    });

    document.addEventListener("pointerdown", event => { if (!menu.contains(event.target)) close(); });
    menu.addEventListener("focusout", event => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget)) close();
    });
    menu.addEventListener("keydown", event => {
      if (event.key !== "Escape" || !menu.open) return;
      close();
      summary.focus();
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
