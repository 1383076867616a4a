// Sets formulas with KaTeX: one JSON request a line on standard input, one JSON answer a line on standard output.
// Ends by itself when its input does, so nothing is left running when a build is killed.
const katex = require(process.argv[2]);
const lines = require("readline").createInterface({ input: process.stdin });

lines.on("line", (line) => {
  const { source, options } = JSON.parse(line);
  let answer;
  try {
    answer = { html: katex.renderToString(source, options) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
