"""Translates a template as SAM does in CloudFormation; runs in the environment of `local/sam`.

Standard input has the template, in JSON and without loops; the argument is the region.
"""

import json
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator


def main(region: str) -> None:
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=region))
    try:
        translated = translator.translate(json.load(sys.stdin), {})
    except InvalidDocumentException as error:
        sys.exit("\n".join(cause.message for cause in error.causes))
    json.dump(translated, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
