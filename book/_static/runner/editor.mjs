/* An editor for one cell: CodeMirror with what Python needs, in the colours and the type of the page. */

const codemirror = await import(new URL("../codemirror/codemirror.mjs", import.meta.url));
const { EditorState, EditorView, LanguageSupport, pythonLanguage } = codemirror;

/** Make an editor inside an element; `changed(text)` hears every edit, `keys` are [key, function] pairs. */
export function edit(parent, { text, label, description, keys, changed }) {
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [
      codemirror.keymap.of([
        ...keys.map(([key, action]) => ({ key, preventDefault: true, run: () => (action(), true) })),
        ...codemirror.closeBracketsKeymap, ...codemirror.historyKeymap, ...codemirror.defaultKeymap,
      ]),
      codemirror.history(),
      codemirror.drawSelection(),
      codemirror.closeBrackets(),
      codemirror.bracketMatching(),
      codemirror.indentOnInput(),
      codemirror.indentUnit.of("    "),
      EditorState.tabSize.of(4),
      new LanguageSupport(pythonLanguage),
      codemirror.syntaxHighlighting(codemirror.classHighlighter),
      // A stop of the Tab key it is without being told; checkers of accessibility believe it only if told.
      EditorView.contentAttributes.of({
        "aria-label": label, "aria-describedby": description, translate: "no", tabindex: "0",
      }),
      EditorView.updateListener.of(update => update.docChanged && changed(update.state.doc.toString())),
    ],
  });
  return {
    text: () => view.state.doc.toString(),
    write: value => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } }),
    focus: () => view.focus(),
  };
}
