"""template.yaml as CloudFormation makes it of the loops and of SAM's types, before it deploys it.

    python -m tests.integration.transformed FILE

writes it, for cfn-lint.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from local.paths import SAM_VENV
from tests.integration.cloudformation import read_template

REGION: Final = "us-east-1"
ARTIFACTS: Final = "artifacts"
"""The bucket of the code, which `sam package` would have filled."""
CODE: Final = "code.zip"
_TRANSLATOR: Final = Path(__file__).with_name("sam_translator.py")


def transformed() -> dict[str, Any]:
    """The template that CloudFormation deploys. References to parameters stay as they are."""
    done = subprocess.run(
        [SAM_VENV / "bin" / "python", _TRANSLATOR, REGION],
        input=json.dumps(_packaged(_spelled_out(read_template()))),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    template: dict[str, Any] = json.loads(done.stdout)
    return template


def _spelled_out(value: Any) -> Any:
    """Tags as JSON has them: `{"!Sub": …}` becomes `{"Fn::Sub": …}`."""
    match value:
        case {"!Ref": name}:
            return {"Ref": name}
        case {"!GetAtt": str(text)}:
            return {"Fn::GetAtt": text.split(".", 1)}
        case dict():
            return {key.replace("!", "Fn::", 1): _spelled_out(one) for key, one in value.items()}
        case list():
            return [_spelled_out(one) for one in value]
    return value


def _packaged(template: dict[str, Any]) -> dict[str, Any]:
    """As after `sam package`: the code is in a bucket. The loops are no more."""
    address = f"s3://{ARTIFACTS}/{CODE}"
    template["Transform"] = "AWS::Serverless-2016-10-31"
    template["Globals"]["Function"]["CodeUri"] = address
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = address
    return template


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(transformed(), indent=1))
