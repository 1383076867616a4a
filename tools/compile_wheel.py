"""Put bytecode in the place of the Python sources in a wheel: what is compiled once need not be by every reader.

This is run by the Python that will load the wheel, since each version has bytecode of its own. Loading matplotlib's
sources takes a browser twice as long as loading this. It is a little larger; to make up for that, what only compilers,
type checkers and PDF output read is left out.
"""

import py_compile
import tempfile
import zipfile
from pathlib import Path

SITE = "/lib/python3.14/site-packages/"  # where the files will lie: error messages name them so

LEFT_OUT = (".a", ".afm", ".c", ".h", ".pxd", ".pyi")


def compile_wheel(before: str, after: str) -> None:
    """Write the wheel `before` to `after` with `module.pyc` in place of `module.py`, without what is `LEFT_OUT`.

    A source that this Python cannot compile stays: some are there to be read, such as templates.
    """
    with (
        zipfile.ZipFile(before) as old,
        zipfile.ZipFile(after, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new,
        tempfile.TemporaryDirectory() as scratch,
    ):
        source, compiled = Path(scratch, "source.py"), Path(scratch, "compiled.pyc")
        for entry in old.infolist():
            if entry.filename.endswith(LEFT_OUT):
                continue
            content = old.read(entry)
            if entry.filename.endswith(".py") and ".dist-info/" not in entry.filename:
                source.write_bytes(content)
                # Never held against a source, which will not be there.
                mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                name = SITE + entry.filename
                try:
                    py_compile.compile(str(source), str(compiled), name, doraise=True, invalidation_mode=mode)
                except py_compile.PyCompileError:
                    pass
                else:
                    entry.filename += "c"
                    content = compiled.read_bytes()
            new.writestr(entry, content, zipfile.ZIP_DEFLATED)
