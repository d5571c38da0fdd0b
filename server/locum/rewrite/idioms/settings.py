"""INI, properties, XML and the login files of clients: a setting's value becomes what the file's reader expands.

`line_formats.py` and `xml_scanner.py` say where values lie, `spelling.py` how they are spelt, `forms.py` what to write.
"""

from __future__ import annotations

from locum.rewrite.idioms.forms import check_plain, choose, replaced_span
from locum.rewrite.idioms.place import Place
from locum.rewrite.idioms.places import places
from locum.rewrite.idioms.spelling import STYLES, spell
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit


def rewrite(target: Target) -> Plan:
    """Replace the value that holds the secret, or the secret in it."""
    for place in places(target.text, target.kind):
        if place.start <= target.start and target.end <= place.end:
            return target.as_prose("comment") if place.style == "comment" else _rewrite(target, place)
    choose(target)  # a reader that takes no reference at all says more
    raise NoSafeEdit(
        "the secret is not the value of one setting: a file of this kind has no place for a reference here"
    )


def _rewrite(target: Target, place: Place) -> Plan:
    choice = choose(target, place.key)
    start, end, about = replaced_span(target, choice, place.start, place.end)
    style = STYLES[place.style]
    value = style.decode(target.text[start:end])
    parts = target.text[place.start : start], target.text[start:end], target.text[end : place.end]
    if "".join(style.decode(part) for part in parts) != style.decode("".join(parts)):
        raise NoSafeEdit("the secret begins or ends inside of an escape")
    check_plain(choice, value)
    if not choice.form.inside:
        spell(place.style, value)  # what cannot be put back is not taken away
    return target.plan((Edit(start, end, choice.written),), value, choice.written, about + choice.note)
