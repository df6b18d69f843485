"""Reads template.yaml as CloudFormation does: tags, and loops of AWS::LanguageExtensions."""

from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
_LOOP = "Fn::ForEach::"


class _TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation: `!Ref Name` becomes `{"!Ref": "Name"}`."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any = None
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    return {f"!{tag}": value}


_TemplateLoader.add_multi_constructor("!", _tagged)


def read_template() -> dict[str, Any]:
    """template.yaml as plain data, each loop in `Resources` replaced by the resources it makes."""
    template: dict[str, Any] = yaml.load(TEMPLATE.read_text(), _TemplateLoader)  # noqa: S506 - a SafeLoader
    resources: dict[str, Any] = {}
    for name, resource in template["Resources"].items():
        made = _looped(resource, template) if name.startswith(_LOOP) else {name: resource}
        assert not made.keys() & resources.keys(), f"{name} makes a resource twice"
        resources |= made
    template["Resources"] = resources
    return template


def _looped(loop: list[Any], template: dict[str, Any]) -> dict[str, Any]:
    identifier, collection, fragment = loop
    return {
        key.replace(f"${{{identifier}}}", item): _filled(value, identifier, item, template)
        for item in collection
        for key, value in fragment.items()
    }


def _filled(value: Any, identifier: str, item: str, template: dict[str, Any]) -> Any:
    """A piece of a loop's fragment for one item of its collection.

    The identifier counts in `!Ref` and `!Sub` only. `Ref`, `Fn::GetAtt`, and `!FindInMap` may have
    such an inner function; what they become is what stands outside of loops.
    """

    def filled(inner: Any) -> Any:
        return _filled(inner, identifier, item, template)

    match value:
        case {"!Ref": name} if name == identifier:
            return item
        case {"!Sub": str(text)}:
            text = text.replace(f"${{{identifier}}}", item)
            return {"!Sub": text} if "${" in text else text
        case {"!Sub": [str(text), dict(variables)]}:
            for name, variable in variables.items():
                text = text.replace(f"${{{name}}}", filled(variable))
            return filled({"!Sub": text})
        case {"!FindInMap": [name, first, second]}:
            return template["Mappings"][name][filled(first)][filled(second)]
        case {"Ref": inner}:
            return {"!Ref": filled(inner)}
        case {"Fn::GetAtt": [inner, attribute]}:
            return {"!GetAtt": f"{filled(inner)}.{attribute}"}
        case dict():
            return {key: filled(inner) for key, inner in value.items()}
        case list():
            return [filled(inner) for inner in value]
    return value


def by_default(value: Any, template: dict[str, Any]) -> Any:
    """A piece of a template that was read, with the defaults of the parameters.

    What a deployment would name stays as it is, and `AWS::NoValue` is None.
    """
    match value:
        case {"!Ref": "AWS::NoValue"}:
            return None
        case {"!Ref": name} if name in template["Parameters"]:
            return template["Parameters"][name]["Default"]
        case {"!If": [condition, yes, no]}:
            holds = by_default(template["Conditions"][condition], template)
            return by_default(yes if holds else no, template)
        case {"!Not": [inner]}:
            return not by_default(inner, template)
        case {"!Equals": [one, other]}:
            return str(by_default(one, template)) == str(by_default(other, template))
        case {"!Join": [str(between), inner]}:
            found = by_default(inner, template)
            # The default of a list is written with commas.
            return between.join(found.split(",") if isinstance(found, str) else found)
        case {"!FindInMap": [name, first, second]}:
            return template["Mappings"][name][str(by_default(first, template))][second]
        case dict():
            return {key: by_default(inner, template) for key, inner in value.items()}
        case list():
            return [by_default(inner, template) for inner in value]
    return value
