/* Flipbooks: sliders that leaf through figures drawn beforehand. Works in the book, from the file system, and inside
   the output of a notebook. Nothing moves and nothing is fetched before the reader comes near. */
(function () {
  "use strict";
  // Each output of a notebook brings this script along.
  if (window.recurrenceFlipbook) {
    window.recurrenceFlipbook.start(document);
    return;
  }

  const waiting = new Map(); // key of the frames → what to do once they are there
  const loaded = new Map();  // key of the frames → frames

  function start(scope) {
    scope.querySelectorAll(".flipbook:not([data-started])").forEach(begin);
  }

  function begin(root) {
    root.dataset.started = "";
    const picture = root.querySelector(".figure-pair");
    const controls = root.querySelector(".flipbook-controls");
    const sliders = Array.from(controls.querySelectorAll("input"));
    const texts = sliders.map(slider => JSON.parse(slider.dataset.texts));
    const status = controls.querySelector(".flipbook-status");
    const button = controls.querySelector(".flipbook-play");
    const initial = number();
    const inside = root.querySelector("script[type='application/json']");
    let book = inside ? JSON.parse(inside.textContent) : loaded.get(root.dataset.flipbook);
    let frame = null;  // the element that shows frames, once one is shown
    let timer = null;
    let silence = null;
    const narrow = window.matchMedia("(max-width: 640px)");

    // The last slider changes fastest.
    function number() {
      return sliders.reduce((sum, slider) => sum * (Number(slider.max) + 1) + Number(slider.value), 0);
    }

    // The parts of the drawing that stand below one another: on a phone the two panels of a figure, else the whole.
    function boxes() {
      const where = Number(root.dataset.cut);
      if (!where || !narrow.matches) return [book.box];
      const [left, top, width, height] = book.box.split(" ").map(Number);
      return [[left, top, where * width, height], [left + where * width, top, (1 - where) * width, height]]
        .map(box => box.join(" "));
    }

    function draw() {
      if (!book) return;
      if (!frame) {
        // The image stays where it is: it keeps the room, and paper shows it.
        frame = document.createElement("span");
        frame.className = "flipbook-frame";
        frame.style.maxWidth = book.size[0] + "px";
        picture.appendChild(frame);
        picture.classList.add("flipbook-moved");
      }
      const at = number();
      const shown = book.frames[at].map(part => book.parts[part]).join("") + "</svg>";
      const views = boxes();
      frame.innerHTML = '<svg viewBox="' + views[0] + '" role="img"><defs>' + book.defs + "</defs>" + shown +
        views.slice(1).map(box => '<svg viewBox="' + box + '" aria-hidden="true">' + shown).join("");
      frame.firstChild.setAttribute("aria-label", book.alts[at % book.alts.length]);
      frame.dataset.frame = at;
    }

    function say(words) {
      status.textContent = words;
    }

    function moved() {
      sliders.forEach((slider, i) => {
        const text = texts[i][slider.value];
        const row = slider.parentNode;
        row.querySelector(".flipbook-value").textContent = text;
        slider.setAttribute("aria-valuetext", row.querySelector(".flipbook-label").textContent + " " + text);
      });
      load();
      draw();
      // The slider says its value itself. What is seen is said once it has come to rest, if it differs by frame.
      say("");
      clearTimeout(silence);
      silence = setTimeout(() => {
        if (book && book.alts.length > 1 && !timer) say(book.alts[number()]);
      }, 900);
    }

    function load() {
      const key = root.dataset.flipbook;
      if (book || !key) return;
      if (waiting.has(key)) {
        if (!waiting.get(key).includes(arrived)) waiting.get(key).push(arrived);
        return;
      }
      waiting.set(key, [arrived]);
      // A script, not a fetch: browsers refuse to fetch from the file system.
      const script = document.createElement("script");
      script.src = root.dataset.frames;
      script.onerror = () => {
        waiting.delete(key);
        script.remove();
        pause();
        status.classList.add("flipbook-failed");
        say("The other frames could not be loaded.");
      };
      document.head.appendChild(script);
    }

    function arrived(data) {
      book = data;
      status.classList.remove("flipbook-failed");
      say("");
      if (number() !== initial) draw();
    }

    function pause() {
      clearTimeout(timer);
      timer = null;
      if (button) button.classList.remove("flipbook-playing");
    }

    // While it plays, nothing is said: where it has come to, and what is seen there, once it stands.
    function stop(time) {
      pause();
      clearTimeout(silence);
      const alt = book && book.alts.length > 1 ? ". " + book.alts[number()] : "";
      say(time.getAttribute("aria-valuetext") + alt);
    }

    if (button) {
      const time = sliders.find(slider => "play" in slider.dataset);
      const last = Number(time.max);
      // Forty frames in five seconds, and a few frames not faster than one can look.
      const wait = Math.min(400, Math.max(120, 5000 / last));

      function step() {
        if (!root.isConnected) return pause();
        if (book) {
          time.value = Number(time.value) + 1;
          moved();
          if (Number(time.value) === last) return stop(time);
        }
        timer = setTimeout(step, wait);
      }

      button.addEventListener("click", () => {
        if (timer) return stop(time);
        button.classList.add("flipbook-playing");
        if (Number(time.value) === last) time.value = 0;
        timer = setTimeout(step, wait);
        moved();
      });
    }

    sliders.forEach(slider => slider.addEventListener("input", () => {
      pause();
      moved();
    }));
    ["pointerdown", "focusin"].forEach(name => controls.addEventListener(name, load));
    controls.hidden = false;
    narrow.addEventListener("change", () => { if (frame) draw(); });
    if (sliders.some(slider => slider.value !== slider.defaultValue)) moved();
    if (!book && "IntersectionObserver" in window) {
      const observer = new IntersectionObserver(entries => {
        if (entries.some(entry => entry.isIntersecting)) {
          observer.disconnect();
          load();
        }
      }, { rootMargin: "400px 0px" });
      observer.observe(root);
    }
  }

  // Called by the files that hold frames.
  function frames(key, data) {
    loaded.set(key, data);
    (waiting.get(key) || []).forEach(tell => tell(data));
    waiting.delete(key);
  }

  window.recurrenceFlipbook = { start, frames };
  start(document);
  document.addEventListener("DOMContentLoaded", () => start(document));
})();
