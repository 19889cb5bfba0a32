"""A stand-in for S3 on loopback: what `obstore` asks of a bucket, in memory. Signatures are not checked.

Source: the Amazon S3 API reference (PutObject with If-None-Match, GetObject, CopyObject, DeleteObjects, ListObjectsV2).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import escape

from baton.sdk.clock import SystemClock

PAGE = 1_000
clock = SystemClock()


class Bucket:
    """The objects of all buckets but `missing`, by their paths. `away`: every request is answered 503."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.requests: list[str] = []
        self.away = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name there
        """Print nothing."""

    def _begun(self) -> tuple[str, dict[str, list[str]], bytes]:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.bucket.requests.append(f"{self.command} {unquote(parts.path)}")
        return unquote(parts.path).lstrip("/"), parse_qs(parts.query, keep_blank_values=True), body

    def _answer(self, status: int, body: bytes = b"", /, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", headers.get("size", str(len(body))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        path, _, body = self._begun()
        if self.bucket.away:
            return self._answer(503)
        if path.startswith("missing/"):
            return self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        if source := self.headers.get("x-amz-copy-source"):
            found = self.bucket.objects.get(unquote(source).lstrip("/"))
            if found is None:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            self.bucket.objects[path] = found
            return self._answer(200, b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
        if self.headers.get("if-none-match") == "*" and path in self.bucket.objects:
            return self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.bucket.objects[path] = (body, datetime.fromtimestamp(clock.now_ms() / 1000, UTC))
        return self._answer(200, ETag='"x"')

    def do_GET(self) -> None:
        path, query, _ = self._begun()
        if self.bucket.away:
            return self._answer(503)
        if "list-type" in query:
            return self._answer(200, self._listed(path.rstrip("/"), query).encode(), content_type="application/xml")
        if path not in self.bucket.objects:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        data, at = self.bucket.objects[path]
        headers: dict[str, str] = {"ETag": '"x"', "Last-Modified": format_datetime(at, usegmt=True)}
        if self.command == "HEAD":
            return self._answer(200, size=str(len(data)), **headers)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if not found:
            return self._answer(200, data, **headers)
        start, end = int(found[1]), min(len(data), int(found[2]) + 1 if found[2] else len(data))
        return self._answer(206, data[start:end], Content_Range=f"bytes {start}-{end - 1}/{len(data)}", **headers)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        path, _, body = self._begun()
        if self.bucket.away:
            return self._answer(503)
        names = [key.text or "" for key in fromstring(body).iter() if key.tag.endswith("Key")]
        for name in names:
            self.bucket.objects.pop(f"{path.rstrip('/')}/{name}", None)
        rows = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
        return self._answer(200, f"<DeleteResult>{rows}</DeleteResult>".encode(), content_type="application/xml")

    def do_DELETE(self) -> None:
        path, _, _ = self._begun()
        self.bucket.objects.pop(path, None)
        return self._answer(204)

    def _listed(self, bucket: str, query: dict[str, list[str]]) -> str:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", [""])[0]
        names = sorted(path.removeprefix(f"{bucket}/") for path in self.bucket.objects if path.startswith(f"{bucket}/"))
        names = [name for name in names if name.startswith(prefix) and name > after]
        folders = (
            {prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter for name in names} if delimiter else set()
        )
        page = [] if delimiter else names[:PAGE]
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size><ETag>x</ETag>"
            f"<LastModified>{at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}</LastModified></Contents>"
            for name in page
            for data, at in [self.bucket.objects[f"{bucket}/{name}"]]
        )
        rows += "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders))
        more = len(names) > PAGE and not delimiter
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{rows}{token}</ListBucketResult>"


@contextmanager
def s3() -> Iterator[tuple[str, Bucket]]:
    """Serve a bucket; yield its address and what is in it."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", bucket
        finally:
            server.shutdown()
            thread.join()
