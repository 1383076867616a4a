/* The way to a Jupyter server of the reader's own: an element with `data-own-server`, or `#own-server` behind the
   address of a chapter, opens its form. Nothing of it is loaded before that. */
(function () {
  "use strict";

  function ask() {
    const control = document.querySelector("div.run-page");
    const data = control && control.querySelector("script[type='application/json']");
    if (!data) return;
    const other = new URL(JSON.parse(data.textContent).module, document.baseURI);
    const refuse = words => {
      control.classList.add("run-refused");
      control.querySelector(".run-note").textContent = words;
    };
    if (location.protocol === "file:") {
      return refuse("This copy of the page is a file on your own machine, and browsers let no such page talk to a " +
        "server: open the chapter on the published site. All else works.");
    }
    import(new URL("../own_server/connect.mjs" + other.search, other)).then(module => module.open(), () =>
      refuse("The program that connects to a server could not be fetched. Look after your connection and try again."));
  }

  function start() {
    if (location.hash === "#own-server") ask();
  }

  document.addEventListener("click", event => {
    const asked = event.target.closest && event.target.closest("[data-own-server]");
    if (!asked) return;
    event.preventDefault();
    ask();
  });
  window.addEventListener("hashchange", start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
