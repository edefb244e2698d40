"""The column plan: which column is what, once that is decided. It knows fields by name and type, and no table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from weitiao.fields import Field, FieldType


@dataclass(frozen=True)
class ColumnPlan:
    """Which columns make each field.

    Attributes:
        fields: field name -> its columns, joined in this order.
        why: field name -> a sentence in the language of the run.
        types: field name -> field type.
        unused: the other columns.
        text_separator: what joins several columns.
        optional, outputs: names of fields that a record may lack, and of those that only training needs.
    """

    fields: dict[str, tuple[str, ...]]
    why: dict[str, str] = field(default_factory=dict)
    types: dict[str, FieldType] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    text_separator: str = "\n"
    optional: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: {"fields": {name: {"columns": [...], "type": "...", "why": "..."}}, "unused": [...], "text_separator": "..."}."""
        fields = {
            name: {"columns": list(columns), "type": self.types.get(name, "text"), "why": self.why.get(name, "")}
            for name, columns in self.fields.items()
        }
        return {"fields": fields, "unused": list(self.unused), "text_separator": self.text_separator}

    @classmethod
    def from_dict(cls, plan: Mapping[str, Any], inputs: Sequence[Field], outputs: Sequence[Field]) -> "ColumnPlan":
        """The plan that ``as_dict`` described, for the same task."""
        types = {one.name: one.type for one in (*inputs, *outputs)}
        fields = {name: tuple(value["columns"]) for name, value in plan["fields"].items() if name in types}
        why = {name: value.get("why", "") for name, value in plan["fields"].items()}
        types = {name: plan["fields"][name].get("type", types[name]) for name in fields}
        return cls(fields, why, types, tuple(plan.get("unused", ())), plan.get("text_separator", "\n"), *roles(inputs, outputs))

    def without(self, names: Iterable[str]) -> "ColumnPlan":
        """The plan less some fields."""
        gone = set(names)
        kept = {name: columns for name, columns in self.fields.items() if name not in gone}
        return replace(self, fields=kept)


def roles(inputs: Sequence[Field], outputs: Sequence[Field]) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the fields that a record may lack, and of the outputs. The second text of a pair has a column only where there are pairs."""
    seconds = {one.second for one in inputs}
    return frozenset(one.name for one in (*inputs, *outputs) if one.optional and one.name not in seconds), frozenset(
        one.name for one in outputs
    )
