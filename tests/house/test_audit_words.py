"""The log's words: every act that the code tells has one, and each word is said in both languages."""

import ast

from service.applications.rules import Verb
from service.audit.rules import FAULTS, KINDS
from service.base.i18n import english
from tests.house.scan import sources


def _told() -> set[str]:
    """Return every constant `kind=` that is given to a function called record or _record or _event."""
    found = set()
    for _path, tree in sources():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name.lstrip("_") in ("record", "event"):
                values = [*call.args, *(keyword.value for keyword in call.keywords)]
                texts = [value.value for value in values if isinstance(value, ast.Constant)]
                found |= {text for text in texts if isinstance(text, str) and ":" in text}
    return found


def test_every_act_that_is_told_has_a_word():
    assert _told() <= set(KINDS)
    assert {"agreement:sign", "grant:suspend"} <= _told()


def test_every_verb_on_an_application_has_a_word():
    assert {f"application:{verb.value}" for verb in Verb} <= set(KINDS)


def test_every_word_is_said_in_both_languages():
    assert not [word for word in (*KINDS.values(), *FAULTS.values()) if word not in english()]


def test_no_two_acts_are_called_the_same():
    assert len(set(KINDS.values())) == len(KINDS)
