/* The theme takes the focus off a button of the header once it is pressed, so that a reader at the keyboard would begin at
   the top of the page again. A mouse may lose it: then no tooltip stays behind. */
(function () {
  "use strict";

  function keep() {
    document.querySelectorAll(".theme-switch-button, .search-button, .primary-toggle, .secondary-toggle").forEach(button => {
      button.blur = () => { if (!button.matches(":focus-visible")) HTMLElement.prototype.blur.call(button); };
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", keep);
  else keep();
})();
