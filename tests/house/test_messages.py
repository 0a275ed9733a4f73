"""Every message is said in Chinese and in English."""

from collections import defaultdict

from jinja2 import Environment

from tests.house.scan import BLANK, HAN, LOCALE, ROOT, messages, templates, translations

# Messages that are the same in both languages.
NO_HAN: frozenset[str] = frozenset()


def test_every_message_has_an_english_text():
    english = translations()
    missing = sorted(
        {f"{found.place}: {found.message}" for found in messages() if _chinese_only(found.message, english)}
    )
    assert not missing, "\n".join(missing)


def _chinese_only(message, english) -> bool:
    return bool(HAN.search(message)) and not any(text for _file, text in english.get(message, []))


def test_every_message_id_is_chinese():
    english_sides = _plurals()
    odd = {
        f"{found.place}: {found.message}"
        for found in messages()
        if not HAN.search(found.message) and _words(found.message) and found.message not in NO_HAN | english_sides
    }
    assert not odd


def _words(message: str) -> bool:
    """Whether a message says something beside its blanks and punctuation."""
    return any(letter.isalpha() for letter in BLANK.sub("", message))


def _plurals() -> set[str]:
    """Return what may be an English plural: a message whose translation is itself."""
    return {message for message, sides in translations().items() if any(text == message for _file, text in sides)}


def test_an_english_text_is_not_empty_and_holds_no_han():
    bad = [
        f"{file}: {message} -> {text}"
        for message, sides in translations().items()
        for file, text in sides
        if not text or HAN.search(text)
    ]
    assert not bad


def test_both_sides_have_the_same_blanks():
    bad = [
        f"{file}: {message} -> {text}"
        for message, sides in translations().items()
        for file, text in sides
        if set(BLANK.findall(message)) != set(BLANK.findall(text))
    ]
    assert not bad


def test_one_message_has_one_english_text():
    texts: dict[str, set[str]] = defaultdict(set)
    for message, sides in translations().items():
        texts[message] |= {text for _file, text in sides}
    assert not {message: sorted(found) for message, found in texts.items() if len(found) > 1}


def test_no_english_text_is_for_a_message_that_nobody_says():
    said = {found.message for found in messages()}
    assert not sorted(f"{sides[0][0]}: {message}" for message, sides in translations().items() if message not in said)


def test_there_is_a_file_of_messages_and_none_is_empty():
    assert list(LOCALE.glob("*.po"))


def test_no_template_speaks_chinese_past_the_translator():
    environment = Environment(extensions=["jinja2.ext.i18n"])
    bad = []
    guides = ROOT / "templates" / "help" / "zh"  # long texts, with a twin in English each
    for path in templates():
        if path.parent == guides:
            continue
        for line, kind, value in environment.lex(path.read_text(encoding="utf-8")):
            if kind == "data" and HAN.search(value):
                bad.append(f"{path.relative_to(ROOT)}:{line}: {value.strip()}")
    assert not bad
