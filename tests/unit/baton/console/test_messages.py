"""Messages, their log, and replaying them."""

import json

from tests.unit.baton.console.operator import Operator


async def test_messages_show_what_step_result_last(operator: Operator) -> None:
    """One row a message, with its job and the error."""
    await operator.stage.submit()
    message_id = operator.stage.queue.published[-1][0]
    operator.stage.records.happen(message_id, "ERROR", status=500, error="<b>broke</b>")
    markup = await operator.see("/console/messages")
    assert markup.count(f'value="{message_id}"') == 1
    assert "&lt;b&gt;broke" in markup
    assert "s-ERROR" in markup
    assert "agent.loop.init" in markup


async def test_messages_are_filtered(operator: Operator) -> None:
    """By job and by what happened; an unknown state is refused."""
    await operator.stage.submit()
    assert "job_1" in await operator.see("/console/messages?job=job_1&state=CREATED")
    assert "nothing like it" in await operator.see("/console/messages?job=job_2")
    assert "no message has the state" in await operator.see("/console/messages?state=LOST", 422)


async def test_one_message_shows_its_log_and_body(operator: Operator) -> None:
    """And how it stands to the state."""
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
    """How many were sent, and what is with the others."""
    event = await operator.stage.submit("adds")
    await operator.stage.deliver(event)
    ids = [message_id for message_id, _ in operator.stage.queue.published]
    data = {"csrf": await operator.token(), "message": ids}
    response = await operator.http.post("/console/messages/replay", data=data)
    markup = await operator.see(response.headers["location"])
    assert f"Of {len(ids)} messages: {len(ids) - 1} sent again; 1 applied already, so not sent" in markup
    assert "No message was ticked" in await operator.done("/console/messages/replay")


async def test_dead_letters_are_grouped_by_error(operator: Operator) -> None:
    """Ids and numbers do not tell errors apart; the largest group comes first."""
    stage = operator.stage
    for number in range(3):
        await stage.submit("answers", f"job_{number}")
        answer = {"detail": f"job_{number} met <i>trouble</i>"} if number else {"detail": "another thing"}
        stage.records.die(stage.queue.published[-1][0], 500, json.dumps(answer))
    markup = await operator.see("/console/dead-letters")
    assert markup.index("trouble") < markup.index("another thing")
    assert "<i>" not in markup


async def test_a_group_of_dead_letters_is_retried(operator: Operator) -> None:
    """Those that were applied already stay, and are counted."""
    stage = operator.stage
    for number in range(3):
        event = await stage.submit("answers", f"job_{number}")
        stage.records.die(stage.queue.published[-1][0])
        if not number:
            await stage.deliver(event)
    group = (await operator.see("/console/dead-letters")).split('href="?group=')[1][:12]
    opened = await operator.see(f"/console/dead-letters?group={group}")
    assert "applied already" in opened or "its job has ended" in opened
    markup = await operator.done("/console/dead-letters/retry", group=group)
    assert "2 of 3 are tried again. 1 were applied already" in markup
    assert len(stage.records.dead) == 1
    markup = await operator.done("/console/dead-letters/delete", group=group)
    assert "1 dead letters are deleted" in markup
    assert "There are no dead letters" in markup
    assert (await operator.do("/console/dead-letters/retry", group=group)).status_code == 404
