"""Cold start of every function beside a bare handler that only makes a DynamoDB client, in one run.

Initialization as the runtime emulator reports it, best of five each, turn by turn. The budget is
that of functions whose callers wait. What is put off to the first request is not won, so the CPU
until the first answer is measured too, which other processes on the machine disturb less; of it a
function that asks DynamoDB more than once has a part that the bare one has not.
"""

import tempfile
from pathlib import Path
from typing import Final

from bench.report import Row
from bench.runtime import Function, Runtime, functions, sample_event

ROUNDS: Final = 5
BUDGET: Final = 0.9

_BARE: Final = """
import botocore.session

client = botocore.session.get_session().create_client("dynamodb")


def handler(event, context):
    client.get_item(TableName="t", Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
    return {}
"""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, Runtime.prepared() as runtime:
        (Path(folder) / "bare.py").write_text(_BARE)
        bare = Function("bare handler", "bare.handler", Path(folder), {}, answers_http=True)
        deployed = functions()
        init = {function.name: float("inf") for function in (bare, *deployed)}
        whole = dict(init)
        for _ in range(ROUNDS):
            for function in (bare, *deployed):
                event = {} if function is bare else sample_event(function)
                start = runtime.start(function, event)
                init[function.name] = min(init[function.name], start.init_ms)
                whole[function.name] = min(whole[function.name], start.cpu_ms)
    measured = [
        Row("cold start: bare handler with a DynamoDB client, init", init[bare.name], "ms"),
        Row("cold start: bare handler, CPU until the first answer", whole[bare.name], "ms"),
    ]
    for function in deployed:
        name = f"cold start: {function.module}"
        budget = BUDGET * init[bare.name] if function.answers_http else None
        ratio = whole[function.name] / whole[bare.name]
        measured += [
            Row(f"{name}, init", init[function.name], "ms", budget),
            Row(f"{name}, CPU until the first answer, to the bare handler's", ratio, ""),
        ]
    return measured
