/* What stands behind the control of a page that can be run: it shows the button, and loads all else when it is pressed.
   Where scripts do not run the control stays hidden, and where Python cannot run it says why. */
(control => {
  const button = control.querySelector("button");
  const note = control.querySelector(".run-note");
  const refuse = words => {
    control.classList.add("run-refused");
    note.textContent = words;
  };
  control.hidden = false;
  if (location.protocol === "file:") {
    button.remove();
    return refuse("In this copy, which lies on your own machine, the code cannot run: browsers start Python only in " +
      "pages that a web server sends. All else works.");
  }
  try {
    const edits = Object.keys(JSON.parse(localStorage.getItem("recurrence-edits:" + location.pathname)) || {}).length;
    if (edits) note.append(" What you changed in " + (edits > 1 ? edits + " cells" : "one cell") + " is kept.");
  } catch {
    // Without storage there is nothing to say.
  }
  button.addEventListener("click", () => {
    const config = JSON.parse(control.querySelector("script").textContent);
    import(new URL(config.module, document.baseURI)).then(page => page.runPage(control, config), () =>
      refuse("The program that runs pages could not be fetched. Look after your connection and press the button again."));
  });
})(document.currentScript.previousElementSibling)
