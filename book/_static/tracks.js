/* The menu of reader tracks: ticking one opens its refreshers on this page and, remembered, on every page after it.
   It acts on a page only when the reader ticks or unticks, so it never undoes what was opened or closed by hand. */
(function () {
  "use strict";

  function start() {
    const menu = document.querySelector(".tracks");
    if (!menu) return;
    const boxes = Array.from(menu.querySelectorAll("input"));

    function apply(box) {
      document.querySelectorAll("details.refresher." + box.value).forEach(details => { details.open = box.checked; });
    }

    function choose(event) {
      apply(event.target);
      localStorage.setItem("tracks", boxes.filter(box => box.checked).map(box => box.value).join(" "));
      // Where storage is blocked, the page has a stand-in that forgets: see layout.html.
      if (!(localStorage instanceof Storage)) {
        menu.querySelector(".tracks-kept").textContent =
          "Your browser keeps nothing for this site: the choice holds for this page.";
      }
    }

    // What was chosen on another page since this one was last looked at; on a new page the boxes stand open already.
    function follow(open) {
      const chosen = (localStorage.getItem("tracks") || "").split(" ");
      boxes.filter(box => box.checked !== chosen.includes(box.value)).forEach(box => {
        box.checked = !box.checked;
        if (open) apply(box);
      });
    }

    follow(false);
    boxes.forEach(box => box.addEventListener("change", choose));
    window.addEventListener("pageshow", event => { if (event.persisted) follow(true); });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
