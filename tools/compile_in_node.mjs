/* Compile the Python in wheels with the very Python that will run it: Pyodide, under Node.js. {folder, wheels} comes as
   JSON on standard input, and compile_wheel.py beside this file does the work on each of the wheels in the folder. */

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { folder, wheels } = JSON.parse(readFileSync(0, "utf8"));
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`));
const python = await loadPyodide({ indexURL: folder, stdout() {} });
python.runPython(readFileSync(new URL("compile_wheel.py", import.meta.url), "utf8"));
for (const name of wheels) {
  python.FS.writeFile("before.whl", readFileSync(`${folder}/${name}`));
  python.runPython("compile_wheel('before.whl', 'after.whl')");
  writeFileSync(`${folder}/${name}`, python.FS.readFile("after.whl"));
}
process.exit(0);
