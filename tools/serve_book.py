"""Show the book at http://127.0.0.1:8000 and rebuild it whenever a source file is saved.

The browser reloads by itself. A build that fails says why in the terminal and leaves the last good pages up.
"""

from __future__ import annotations

import argparse
import sys

from livereload import Server

from build_book import ROOT, BuildError, build_book

WATCHED = ("book/**/*.md", "book/**/*.py", "book/**/*.css", "book/**/*.html", "book/*.bib",
           "code/recurrence/**/*.py", "_config.yml", "_toc.yml")  # fmt: skip


def rebuild() -> None:
    try:
        build_book()
    except BuildError as error:
        print(f"\n{error}\nThe pages shown are those of the last build that succeeded.", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    rebuild()
    server = Server()
    for pattern in WATCHED:
        server.watch(str(ROOT / pattern), rebuild, delay=0.5)
    try:
        server.serve(root=str(ROOT / "_build" / "html"), host=arguments.host, port=arguments.port)
    except OSError as error:
        print(f"Cannot serve on port {arguments.port} ({error.strerror}): "
              "try another with 'nox -s serve -- --port 8001'.", file=sys.stderr)  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
