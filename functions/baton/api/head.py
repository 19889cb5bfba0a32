"""The answer to HEAD: what GET's answer says of itself, and nothing that it would take to make its body."""

from starlette.responses import Response


def without_body(answer: Response) -> Response:
    """The same status and headers. An answer that would be made piece by piece, such as a stream, is never begun."""
    head = Response(status_code=answer.status_code, background=answer.background)
    head.raw_headers = answer.raw_headers
    return head
