from baton_local.redis.commands.batch import Pipeline, Transaction
from baton_local.redis.commands.command import Answer, Apart, Forward, refusal
from baton_local.redis.link.resp import OK, Reply, ServerError, Status, encode_command

QUEUED = Status(b"QUEUED")


def test_the_bridges_own_answers_keep_their_place() -> None:
    pipeline = Pipeline([Forward([b"A"]), Answer(OK), Forward([b"B"], rewrite=lambda reply: [reply])])
    assert pipeline.reply_count == 2
    assert pipeline.frames() == encode_command([b"A"]) + encode_command([b"B"])
    assert pipeline.merge([b"a", b"b"]) == [b"a", OK, [b"b"]]
    assert not pipeline.has_apart
    assert Pipeline([Apart([b"WAIT"])]).has_apart


def test_a_transaction_is_wrapped_without_a_gap() -> None:
    transaction = Transaction(Pipeline([Forward([b"A"]), Answer(OK)]))
    assert transaction.reply_count == 3
    assert transaction.frames() == b"".join(encode_command([name]) for name in (b"MULTI", b"A", b"EXEC"))
    assert transaction.merge([OK, QUEUED, [b"a"]]) == [b"a", OK]


def test_one_refused_member_refuses_the_transaction() -> None:
    first, second = refusal("first"), refusal("second")
    assert Transaction(Pipeline([Forward([b"A"]), first, second])).refused() == ServerError(b"ERR first")
    assert Transaction(Pipeline([Forward([b"A"]), Answer(OK)])).refused() is None


def test_the_first_queueing_error_is_the_transactions_error() -> None:
    """Rather than EXECABORT, which does not say why."""
    transaction = Transaction(Pipeline([Forward([b"A"]), Forward([b"B"])]))
    wrong = ServerError(b"ERR wrong number of arguments")
    assert transaction.merge([OK, QUEUED, wrong, ServerError(b"EXECABORT ...")]) == wrong
    assert transaction.merge([OK, QUEUED, QUEUED, ServerError(b"OOM")]) == ServerError(b"OOM")
    aborted = transaction.merge([OK, QUEUED, QUEUED, None])
    assert isinstance(aborted, ServerError)
    assert aborted.code == b"EXECABORT"


def test_an_error_of_a_member_is_no_error_of_the_transaction() -> None:
    executed: list[Reply] = [b"a", ServerError(b"WRONGTYPE ...")]
    transaction = Transaction(Pipeline([Forward([b"A"]), Forward([b"B"])]))
    assert transaction.merge([OK, QUEUED, QUEUED, executed]) == executed
