/* Run the cells of one page in Pyodide under Node.js: {folder, wheel, script, packages, cells} comes as JSON on standard
   input; {seconds, cells} leaves as JSON on standard output, with {number, well, seconds, shown} for each cell. Seconds of
   the whole are the processor's, so that a busy machine does not make a page slow. */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { folder, wheel, script, packages, cells } = JSON.parse(readFileSync(0, "utf8"));
const bytes = path => new Uint8Array(readFileSync(path));
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`));
const quiet = () => {};
const python = await loadPyodide({
  indexURL: folder, packages, stdout: quiet, stderr: quiet,
  env: { HOME: "/home/pyodide", MPLBACKEND: "agg", TQDM_DISABLE: "1" },
});
python.unpackArchive(bytes(wheel), "wheel");
python.FS.writeFile("/home/pyodide/run_cells.py", bytes(script));
const runner = python.pyimport("run_cells");
let shown = [];
runner.start(message => {
  const { light, dark, frames, ...rest } = message.toJs({ dict_converter: Object.fromEntries });
  shown.push(rest);
  message.destroy();
});
const results = [];
const started = process.cpuUsage();
for (const { number, source, raises } of cells) {
  shown = [];
  const begun = performance.now();
  const well = runner.run(source, `cell ${number}`);
  results.push({ number, well, seconds: (performance.now() - begun) / 1000, shown });
  if (!well && !raises) break;
}
const { user, system } = process.cpuUsage(started);
process.stdout.write(JSON.stringify({ seconds: (user + system) / 1e6, cells: results }), () => process.exit(0));
