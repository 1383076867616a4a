/* The search page: chapters and terms come before names of the code, and a result quotes the text of its page alone. */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 4,
  objPrio: { 0: 4, 1: 2, 2: -5 },
  objPrioDefault: 0,
  title: 20,
  partialTitle: 17,
  term: 5,
  partialTerm: 2,
};

document.addEventListener("DOMContentLoaded", () => {
  const textOf = (html, anchor) => {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector(".bd-article");
    if (!article) return "";
    // A formula is there twice, for eyes and for screen readers; code and controls are no sentences.
    article.querySelectorAll("h1, .headerlink, script, style, summary, pre, .katex-mathml, .flipbook-controls, .run-page")
      .forEach(one => one.remove());
    const place = anchor && article.querySelector(anchor);
    return (place || article).textContent.replace(/\s+/g, " ").trim();
  };
  Search.htmlToText = textOf;
  Search.makeSearchSummary = (html, keywords, anchor) => {
    const text = textOf(html, anchor);
    if (!text) return null;
    const small = text.toLowerCase();
    // What was typed says better where to begin than its stems, which are no words.
    const typed = (new URLSearchParams(location.search).get("q") || "").split(/\s+/).filter(Boolean);
    const found = [...typed, ...keywords].map(word => small.indexOf(word.toLowerCase())).filter(at => at >= 0);
    const first = found.length ? Math.min(...found) : 0;
    const begin = first > 100 ? text.indexOf(" ", first - 100) + 1 : 0;
    const end = begin + 240 < text.length ? text.lastIndexOf(" ", begin + 240) : text.length;
    const summary = document.createElement("p");
    summary.className = "context";
    summary.textContent = (begin ? "… " : "") + text.slice(begin, end) + (end < text.length ? " …" : "");
    return summary;
  };
});
