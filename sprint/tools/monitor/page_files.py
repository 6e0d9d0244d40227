"""The monitor's page: a few static files, served as they are with all that keeps a page to its own host.

They are read once, when the service starts. There is no script or style in the markup and nothing comes from
elsewhere, so that the policy below refuses whatever else would run.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from sprint.core.errors import RequestError
from sprint.tools.web.router import Request, Response, Router

FOLDER = "page"
INDEX = "index.html"
# The page is some 100 KB; a folder of this size is not what was packaged.
FILES_MAX = 64
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
)
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def add_page(router: Router) -> None:
    """Serve the page at `/` and its files at `/page/{name}`, each with an ETag to ask with."""
    files = packaged_files()

    def index(request: Request) -> Response:
        return _answer(request, files[INDEX])

    def file(request: Request) -> Response:
        found = files.get(request.parameters["name"])
        if found is None:
            raise RequestError("not_found", f"no file of the page at {request.path[:128]!a}")
        return _answer(request, found)

    router.add_answer("/", index)
    router.add_answer(f"/{FOLDER}/{{name}}", file)


def packaged_files() -> dict[str, Response]:
    """Read the page's files, by name, as the answers that give them."""
    found: dict[str, Response] = {}
    for entry in resources.files(__package__).joinpath(FOLDER).iterdir():
        kind = CONTENT_TYPES.get(f".{entry.name.rpartition('.')[2]}")
        if kind is None or not entry.is_file():
            continue
        if len(found) == FILES_MAX:
            raise ValueError(f"over {FILES_MAX} files in {FOLDER}: this is not what was packaged")
        found[entry.name] = _whole(entry.read_bytes(), kind)
    return found


def _whole(body: bytes, kind: str) -> Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    return Response(body, content_type=kind, headers=(("ETag", f'"{tag}"'), *HEADERS))


def _answer(request: Request, found: Response) -> Response:
    """Answer with the file, or with 304 where the browser has it as it is."""
    tag = found.headers[0][1].encode()
    for name, value in request.scope["headers"]:
        if name == b"if-none-match" and tag in {each.strip() for each in value.split(b",")}:
            return Response(b"", 304, found.content_type, found.headers)
    return found
