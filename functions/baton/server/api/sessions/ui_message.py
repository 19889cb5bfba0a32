"""A job's parts as one message, in the form in which AI SDK's client keeps it once it has read the whole stream.

Invariant: pure, and equal to the message that a client builds from the stream (processUIMessageStream of the AI SDK),
except that the text of an abandoned attempt is left out, and that metadata says why it failed, as the stream's `error`
did. Parts of unknown types are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from baton.sdk.records.stream_part import DataPart, TextDelta, TextMark, ToolFailure, ToolInput, ToolOutput

Part = dict[str, Any]


class Asked:
    """Adds AI SDK's parts for approvals that the user of a chat decides."""

    def __init__(self) -> None:
        self._called, self._rejected = set[str](), set[str]()

    def with_questions(self, part: Any) -> Iterator[Part]:
        """Yield what stands for a part; the last one has its number."""
        if part["type"] == "tool-input-available":
            self._called.add(part["toolCallId"])
        elif part["type"] == "data-checkpoint" and (view := part["data"]).get("mayDecide") == "user":
            if view["status"] == "pending" and view["callId"] in self._called:
                yield {"type": "tool-approval-request", "approvalId": view["id"], "toolCallId": view["callId"]}
            elif view["status"] == "rejected":
                self._rejected.add(view["callId"])
        if part["type"] == "tool-output-error" and part["toolCallId"] in self._rejected:
            part = {"type": "tool-output-denied", "toolCallId": part["toolCallId"]}
        yield part


def assistant_message(job_id: str, status: str, parts: Iterable[Any], answer: str = "") -> Part:
    """Build a job's answer. `answer`: its text, for a stream that may have lost it."""
    fold = _Fold()
    for part in parts:
        fold.take(part)
    if answer and not any(part.get("text") == answer for part in fold.parts):
        fold.parts.append({"type": "text", "text": answer, "state": "done"})
    failed = {"error": {"errorText": fold.error, "id": job_id}} if fold.error else {}
    return {"id": job_id, "role": "assistant", "metadata": {"status": status} | failed, "parts": fold.parts}


def user_message(message_id: str, text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": message_id,
        "role": "user",
        "metadata": metadata,
        "parts": [{"type": "text", "text": text}] if text else [],
    }


def file_parts(session_id: str, files: Sequence[Part]) -> list[Part]:
    """Convert the files of a session's task to parts of its message, each with its address."""
    place, found = f"/api/sessions/{quote(session_id, safe='')}/files/", list[Part]()
    for file in files:
        part: Part = {"type": "file", "mediaType": file["mediaType"], "url": file.get("url") or place + file["name"]}
        found.append(part | ({"filename": file["filename"]} if "filename" in file else {}))
    return found


class _Fold:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.error = ""
        self._texts: dict[str, Part] = {}
        self._tools: dict[str, Part] = {}

    def take(self, part: Any) -> None:
        """Take a part of the stream, or one that `Asked` adds."""
        match part["type"]:
            case "start-step":
                self.parts.append({"type": "step-start"})
            case "text-start":
                self._texts[part["id"]] = text = {"type": "text", "text": "", "state": "streaming"}
                self.parts.append(text)
            case "text-delta" | "text-end":
                self._text(part)
            case "tool-input-available" | "tool-output-available" | "tool-output-error":
                self._tool(part)
            case "tool-approval-request":
                approval = {"id": part["approvalId"]}
                self._tools[part["toolCallId"]] |= {"state": "approval-requested", "approval": approval}
            case "tool-output-denied" if part["toolCallId"] in self._tools:
                self._tools[part["toolCallId"]] |= {"state": "output-denied"}
            case "data-retry":
                abandoned = self._texts.pop(part["data"].get("textId", ""), None)
                self.parts = [one for one in self.parts if one is not abandoned]
            case "error":
                self.error = part["errorText"]
            case "start" | "finish-step" | "abort" | "finish":
                pass
            case _:
                self._data(part)

    def _data(self, part: DataPart) -> None:
        if part["type"] == "data-job-retried":
            self.error = ""
        if part["type"] == "data-checkpoint":
            self._decided(part["data"])
        if part["type"].startswith("data-") and not part.get("transient"):
            name = {"id": part["id"]} if "id" in part else {}
            self.parts.append({"type": part["type"], **name, "data": part["data"]})

    def _decided(self, view: Part) -> None:
        """Say at the call what was decided, as a client does that has sent the decision."""
        approval = self._tools.get(view["callId"] or "", {}).get("approval", {})
        if approval.get("id") == view["id"] and view["status"] in ("approved", "rejected"):
            approval |= {"approved": view["status"] == "approved"}
            approval |= {"reason": view["reason"]} if view["reason"] else {}

    def _text(self, part: TextMark | TextDelta) -> None:
        text = self._texts.get(part["id"])
        if text is None:
            return
        if part["type"] == "text-delta":
            text["text"] += part["delta"]
        else:
            text["state"] = "done"

    def _tool(self, part: ToolInput | ToolOutput | ToolFailure) -> None:
        call_id = part["toolCallId"]
        if part["type"] == "tool-input-available":
            self._tools[call_id] = tool = {"type": f"tool-{part['toolName']}", "toolCallId": call_id}
            tool |= {"state": "input-available", "input": part["input"]}
            self.parts.append(tool)
        elif call_id in self._tools:
            if part["type"] == "tool-output-error":
                self._tools[call_id] |= {"state": "output-error", "errorText": part["errorText"]}
            else:
                self._tools[call_id] |= {"state": "output-available", "output": part["output"]}
