/* Reports: the link in the header names the section that is in view, so that whoever mends an error finds the place. */
(function () {
  "use strict";
  /** The heading that the reader has last passed: the one above the upper third of the window. */
  function section() {
    const headings = document.querySelectorAll(".bd-article :is(h2, h3, h4)");
    const passed = [...headings].filter(one => one.getClientRects().length && one.getBoundingClientRect().top < innerHeight / 3);
    const heading = passed.pop();
    if (!heading) return "";
    const copy = heading.cloneNode(true);
    copy.querySelectorAll(".headerlink, .katex-html, annotation").forEach(one => one.remove());
    return copy.textContent.trim();
  }

  function name(event) {
    const link = event.target.closest && event.target.closest("a.btn-source-issues-button");
    if (!link) return;
    const there = new URL(link.href);
    if (there.searchParams.has("page")) {
      there.searchParams.delete("section");
      const found = section();
      if (found) there.searchParams.set("section", found);
      link.href = there.href.replaceAll("+", "%20");
    }
  }

  // Whatever way the link is followed, opened in a tab or copied, one of these comes first.
  ["pointerdown", "focusin", "click"].forEach(kind => document.addEventListener(kind, name, true));
})();
