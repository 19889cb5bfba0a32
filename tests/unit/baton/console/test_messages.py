"""Messages, their log, and replaying them."""

import json

from tests.unit.baton.console.operator import Operator


async def test_messages_show_what_happened_last(operator: Operator) -> None:
    await operator.stage.submit()
    message_id = operator.stage.queue.published[-1][0]
    operator.stage.records.happen(message_id, "ERROR", status=500, error="<b>broke</b>")
    markup = await operator.see("/console/messages")
    assert markup.count(f'value="{message_id}"') == 1
    assert all(text in markup for text in ("&lt;b&gt;broke", "s-ERROR", "agent.loop.init"))
    assert "job_1" in await operator.see("/console/messages?job=job_1&state=CREATED")
    assert "nothing like it" in await operator.see("/console/messages?job=job_2")
    assert "no message has the state" in await operator.see("/console/messages?state=LOST", 422)


async def test_one_message_shows_its_log_and_body(operator: Operator) -> None:
    await operator.stage.submit()
    message_id = operator.stage.queue.published[-1][0]
    operator.stage.records.happen(message_id, "DELIVERED", status=200, answer='{"outcome": "done"}')
    markup = await operator.see(f"/console/messages/{message_id}")
    assert "Its step is open" in markup
    assert "outcome" in markup
    assert "agent.loop.init" in markup
    assert "does not know message" in await operator.see("/console/messages/msg_x", 404)


async def test_an_applied_message_says_so_and_offers_a_re_redrive(operator: Operator) -> None:
    """Nothing is sent by the replay; the redrive sends what the job expects."""
    event = await operator.stage.submit("adds")
    message_id = operator.stage.queue.published[-1][0]
    await operator.stage.deliver(event)
    before = len(operator.stage.outgoing())
    markup = await operator.done("/console/messages/replay", message=message_id)
    assert "was applied already" in markup
    assert "Redrive what the job expects" in markup
    assert len(operator.stage.outgoing()) == before
    assert "2 steps of the job were redriven" in await operator.done("/console/jobs/job_1/drive")
    assert len(operator.stage.outgoing()) == before + 2


async def test_many_are_replayed_and_counted(operator: Operator) -> None:
    event = await operator.stage.submit("adds")
    await operator.stage.deliver(event)
    ids = [message_id for message_id, _ in operator.stage.queue.published]
    data = {"csrf": await operator.token(), "message": ids}
    response = await operator.http.post("/console/messages/replay", data=data)
    markup = await operator.see(response.headers["location"])
    assert f"Of {len(ids)} messages: {len(ids) - 1} sent again; 1 applied already, so not sent" in markup
    assert "No message was ticked" in await operator.done("/console/messages/replay")


async def test_dead_letters_are_grouped_by_error_and_a_group_is_retried(operator: Operator) -> None:
    """Ids and numbers do not tell errors apart, the largest group comes first; what was applied already stays."""
    stage = operator.stage
    await stage.submit("answers", "job_9")
    stage.records.die(stage.queue.published[-1][0], 500, json.dumps({"detail": "another thing"}))
    for number in range(3):
        event = await stage.submit("answers", f"job_{number}")
        answer = json.dumps({"detail": f"job_{number} met <i>trouble</i>"})
        stage.records.die(stage.queue.published[-1][0], 500, answer)
        if not number:
            await stage.deliver(event)
    markup = await operator.see("/console/dead-letters")
    assert markup.index("trouble") < markup.index("another thing")
    assert "<i>" not in markup
    group = markup.split('href="?group=')[1][:12]
    opened = await operator.see(f"/console/dead-letters?group={group}")
    assert "applied already" in opened or "its job has ended" in opened
    markup = await operator.done("/console/dead-letters/retry", group=group)
    assert "2 of 3 are tried again. 1 were applied already" in markup
    assert len(stage.records.dead) == 2
    markup = await operator.done("/console/dead-letters/delete", group=group)
    assert "1 dead letters are deleted" in markup
    assert "another thing" in markup
    assert (await operator.do("/console/dead-letters/retry", group=group)).status_code == 404
