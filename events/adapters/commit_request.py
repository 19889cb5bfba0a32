"""COMMIT as a request: the keys and arguments of commit.lua, in the order in which it takes them.

Invariant: every key that the script touches is declared, so that a clustered Redis works.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from pydantic_core import to_json

from events.adapters import keys
from events.core.effects import Changes
from events.core.going_on import GoOn
from events.core.legs import LegKind
from events.core.records import dump_call, dump_job, dump_leg, dump_standing
from events.ids import canonical_json, is_child, job_of_call
from events.ports import Spent


class CommitRequest(Struct, frozen=True):
    """What a COMMIT is about: a leg that `owner` claimed, or (key '') a fact that was decided on the expected job.

    `run`: in which the leg was claimed; 0: there is none. `go_on`: what else is claimed for the owner. `knows`: the tag
    of the history that is known once this is done; empty: none is. `told_limit_bytes`: of what is told at once.
    """

    job_id: str
    leg_key: str
    message_id: str
    now_ms: int
    retention_ms: int
    expected: str = ""
    owner: str = ""
    since_ms: int = 0
    run: int = 0
    go_on: GoOn | None = None
    knows: str = ""
    told_limit_bytes: int = 0

    def keys(self, changes: Changes, family: Sequence[str]) -> list[str]:
        """The keys; `family`: the jobs below one that ends, as far as they are known."""
        declared = list(keys.written_keys(self.job_id))
        if self._is_rooted(changes):
            declared.append(keys.tombstone_key(self.job_id))
        if changes.report:
            declared.append(keys.results_key(job_of_call(changes.report.call_id)))
        if changes.child and changes.child.job:
            declared += [keys.transcript_key(changes.child.job.id), keys.parts_key(changes.child.job.id)]
        for name in family:
            declared += [
                keys.calls_key(name),
                keys.results_key(name),
                keys.transcript_key(name),
                keys.parts_key(name),
            ]
        return declared

    def arguments(self, changes: Changes, spent: Spent, family: Sequence[str]) -> list[str]:
        """The arguments."""
        fields = state_fields(changes, self.message_id)
        calls: list[str] = []
        for record in changes.calls:
            calls += (record.id, dump_call(record))
        results: list[str] = []
        for result in changes.results.items():
            results += result
        child = state_fields(changes.child, self.message_id) if changes.child else []
        header = self._header(changes, spent)
        header["state"], header["family"] = len(fields), list(family)
        if changes.child:
            counts = {"transcript": len(changes.child.transcript), "parts": len(changes.child.parts)}
            header["child"] = {"id": changes.child.job.id if changes.child.job else "", "state": len(child), **counts}
        values = list(changes.talk.rest) if changes.talk else []
        for skip in changes.skips:
            values += (dump_call(skip.record), skip.result, *skip.parts)
        values += [
            *fields,
            *calls,
            *results,
            *changes.transcript,
            *changes.parts,
            *changes.closing,
            *child,
        ]
        if changes.child:
            values += [*changes.child.transcript, *changes.child.parts]
        # What is not there is nothing, none, or no: most of a header would be that.
        told = to_json({name: value for name, value in header.items() if value}).decode()
        return [self.job_id, self.leg_key, self.message_id, told, self.expected, *values]

    def _is_rooted(self, changes: Changes) -> bool:
        """Whether a whole tree ends, or begins again: then its data begins, or ceases, to expire."""
        return changes.begins_again or (changes.ends and not is_child(self.job_id))

    def _header(self, changes: Changes, spent: Spent) -> dict[str, Any]:
        header: dict[str, Any] = {
            "calls": 2 * len(changes.calls),
            "results": 2 * len(changes.results),
            "transcript": len(changes.transcript),
            "parts": len(changes.parts),
            "closing": len(changes.closing),
            "skips": [
                {"leg": skip.leg_key, "call_id": skip.record.id, "parts": len(skip.parts)} for skip in changes.skips
            ],
            "ends": changes.ends,
            "expires": changes.ends and not is_child(self.job_id),
            "begins_again": changes.begins_again,
            "forgets": list(changes.forgets),
            "run": self.run,
            "owner": self.owner,
            "since_ms": self.since_ms,
            "waits": next((leg.call_id for leg in changes.legs if leg.kind is LegKind.WAIT), ""),
            "admitted": changes.admitted,
            "later_lap": changes.later_lap,
            "retention_ms": self.retention_ms,
            "now_ms": self.now_ms,
            "spent": {name: count for name, count in usage_counts(spent).items() if count},
        }
        if self.go_on:
            header["go_on"] = _room(self.go_on, self.knows, self.told_limit_bytes)
        if changes.talk:
            talk = changes.talk
            header["talk"] = {"text_id": talk.text_id, "appended": talk.appended, "rest": len(talk.rest)}
        if changes.join:
            leg = replace(changes.join.leg, carrier=self.message_id)
            header["join"] = {"group": changes.join.group, "field": f"leg:{leg.key}", "leg": dump_leg(leg)}
        if changes.job and header["expires"]:
            header["tombstone"] = canonical_json({"tenant": changes.job.tenant, "deleted": False})
        if changes.spends:
            header["spends"] = asdict(changes.spends)
        if changes.report:
            header |= {"report": changes.report.call_id, "outcome": changes.report.outcome}
        return header


def _room(go_on: GoOn, knows: str, most_bytes: int) -> dict[str, Any]:
    return {
        "owner": go_on.owner,
        "leases_ms": go_on.leases_ms,
        "at_most": go_on.at_most,
        "most_bytes": most_bytes,
        **({"but": sorted(go_on.but)} if go_on.but else {}),
        **({"knows": knows} if knows else {}),
    }


def usage_counts(spent: Spent) -> dict[str, int]:
    """What was spent, by the names of `Usage`."""
    counts = {
        "messages": spent.messages,
        "deliveries": spent.deliveries,
        "redis_requests": spent.requests,
        "redis_commands": spent.commands,
        "redis_bytes": spent.size_bytes,
        "function_ms": spent.function_ms,
        "mb_ms": spent.mb_ms,
    }
    if spent.written:
        counts["written"] = spent.written
    if spent.counted:
        counts["counted"] = spent.counted
    return counts


def said_anew(changes: Changes) -> Changes:
    """The same, where the text that was appended before is not there as its owner left it."""
    return replace(changes, talk=None, parts=(*(changes.talk.anew if changes.talk else ()), *changes.parts))


def state_fields(changes: Changes, message_id: str) -> list[str]:
    """Field, value, field, value: the job, its standing, and the legs to add, carried by this message."""
    fields = [f"job:{changes.job.id}", dump_job(changes.job)] if changes.job else []
    if changes.job and changes.standing:
        fields += [f"standing:{changes.job.id}", dump_standing(changes.standing)]
    for leg in changes.legs:
        # A step that waits for others is carried by whoever ends the last of them.
        carrier = "" if leg.after and leg.kind is LegKind.CALL else message_id
        fields += [f"leg:{leg.key}", dump_leg(replace(leg, carrier=carrier))]
    return fields
