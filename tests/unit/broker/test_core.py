"""Frames, leases and questions: the broker's parts that need neither a socket nor a vault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.broker.content import Content
from locum.broker.judging import Judged
from locum.broker.leases import MAX_LIVE, Lease, LeaseTable, SleepDetector
from locum.broker.level import L0
from locum.broker.policy import Decision
from locum.broker.question import lease_question, visible
from locum.broker.wire import MAX_JSON, FrameReader, Grant, LeaseRequest, RenderedFile, WireProblem, encode
from locum.errors import NotAllowed, UsageProblem

REQUEST = LeaseRequest(("pytest", "-q"), "/home/u/app", (Grant("KEY", "locum://KEY"),), "/home/u/app", "test", 60)


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(st.tuples(st.dictionaries(st.text(max_size=5), st.text(max_size=9)), st.binary(max_size=40)), max_size=5),
    st.data(),
)
def test_frames_survive_any_cutting(messages: list[tuple[dict[str, str], bytes]], data: st.DataObject) -> None:
    stream = b"".join(b"".join(encode(message, payload)) for message, payload in messages)
    reader = FrameReader()
    found: list[tuple[dict[str, str], bytes]] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += [(message, bytes(payload)) for message, payload in reader.feed(stream[:size])]
        stream = stream[size:]
    assert found == messages


@given(st.binary(min_size=8, max_size=64))
def test_nonsense_is_refused_or_waited_for(data: bytes) -> None:
    try:
        for message, _ in FrameReader().feed(data):
            assert isinstance(message, dict)
    except WireProblem:
        pass


def test_a_frame_over_its_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireProblem):
        list(FrameReader().feed((MAX_JSON + 1).to_bytes(4, "big") + bytes(4)))


def test_a_request_goes_over_the_wire_whole() -> None:
    assert LeaseRequest.from_wire(REQUEST.to_wire()) == REQUEST
    with pytest.raises(UsageProblem):
        LeaseRequest.from_wire({"argv": []})


def judged(request: LeaseRequest) -> Judged:
    """A request about which nothing more is known."""
    return Judged(request, Content(), "0" * 64, Decision("ask"), L0, "", False, (), 0, ())


def content_hash(request: LeaseRequest) -> str:
    return Content().hash(request)


def granted(table: LeaseTable, holder: object) -> Lease:
    return table.grant(REQUEST, "0" * 64, pid=1, holder=holder, approved_by="editor", level="L0", ttl=REQUEST.ttl)


FILE = RenderedFile("/home/u/app/conf/app.json", "0" * 64)
IN_FILE = replace(REQUEST, grants=(Grant("", "locum://KEY", file=FILE.path),), files=(FILE,))


def test_a_secret_goes_into_a_variable_or_into_a_file_of_the_request() -> None:
    assert LeaseRequest.from_wire(IN_FILE.to_wire()) == IN_FILE
    older = REQUEST.to_wire()
    del older["files"]
    assert LeaseRequest.from_wire(older) == REQUEST
    for grant in (
        Grant("", "locum://KEY"),
        Grant("KEY", "locum://KEY", file=FILE.path),
        Grant("", "locum://KEY", file="/x"),
    ):
        with pytest.raises(UsageProblem):
            LeaseRequest.from_wire(replace(IN_FILE, grants=(grant,)).to_wire())
    for files in ("x", [3], [{"path": "/a"}], 7):
        with pytest.raises(UsageProblem):
            LeaseRequest.from_wire(REQUEST.to_wire() | {"files": files})


def test_the_question_says_which_file_a_secret_goes_into() -> None:
    lines = lease_question(judged(IN_FILE), asked_by="python3, process 4", expires_in=300).lines
    assert "uses      locum://KEY  in a copy of conf/app.json  from your local vault" in lines
    elsewhere = replace(IN_FILE, cwd="/home/u/ap")
    assert "in a copy of /home/u/app/conf/app.json" in "\n".join(
        lease_question(judged(elsewhere), asked_by="", expires_in=1).lines
    )
    mounted = LeaseRequest.from_wire(replace(IN_FILE, files=(replace(FILE, mounted=True),)).to_wire())
    assert content_hash(mounted) != content_hash(IN_FILE)
    assert "at conf/app.json, in a mount that only the task sees" in "\n".join(
        lease_question(judged(mounted), asked_by="", expires_in=1).lines
    )


def test_a_lease_is_used_once_by_its_holder_in_its_time() -> None:
    clock, holder = Clock(), object()
    table = LeaseTable(clock)
    lease = granted(table, holder)
    with pytest.raises(NotAllowed) as foreign:
        table.use(lease.id, object())
    assert table.use(lease.id, holder) is lease
    with pytest.raises(NotAllowed) as again:
        table.use(lease.id, holder)
    late = granted(table, holder)
    clock.now += REQUEST.ttl
    with pytest.raises(NotAllowed) as expired:
        table.use(late.id, holder)
    with pytest.raises(NotAllowed) as unknown:
        table.use("ls_nothing", holder)
    texts = {error.value.explain() for error in (foreign, again, expired, unknown)}
    assert len(texts) == 1, "different errors would tell an asker what exists"
    assert late in table.expired()


def test_a_holder_has_only_so_many() -> None:
    table, holder = LeaseTable(Clock()), object()
    for _ in range(MAX_LIVE):
        table.check_room(holder)
        granted(table, holder)
    with pytest.raises(NotAllowed):
        table.check_room(holder)
    table.check_room(object())


@pytest.mark.parametrize(
    "change",
    [
        {"argv": ("pytest", "-v")}, {"cwd": "/tmp"}, {"workspace": "/other"}, {"ttl": 61}, {"channel": "file"},
        {"grants": (Grant("KEY", "locum://OTHER"),)}, {"grants": (Grant("KEY2", "locum://KEY"),)},
        {"grants": (Grant("KEY", "locum://KEY", "op://a/b/c"),)}, {"grants": (Grant("", "locum://KEY", file="/a"),)},
        {"files": (RenderedFile("/a", "0" * 64),)}, {"files": (RenderedFile("/a", "1" * 64),)},
        {"files": (RenderedFile("/a", "0" * 64, mounted=True),)},
    ],
)  # fmt: skip
def test_an_approval_is_bound_to_everything_it_showed(change: dict[str, object]) -> None:
    assert content_hash(replace(REQUEST, **change)) != content_hash(REQUEST)  # pyright: ignore[reportArgumentType] - fields of many types


def test_a_suspend_shows_as_a_lead_of_the_boot_clock() -> None:
    boot, running = Clock(), Clock()
    detector = SleepDetector(boot, running)
    boot.now += 3
    running.now += 3
    assert not detector.slept()
    boot.now += 60
    assert detector.slept()
    assert not detector.slept()


@given(st.text(max_size=60))
def test_a_question_is_plain_text_on_lines_of_its_own(hostile: str) -> None:
    request = replace(REQUEST, task=hostile, argv=("sh", hostile), cwd=hostile, reason=hostile)
    question = lease_question(judged(request), asked_by=hostile, expires_in=300)
    for line in (question.title, *question.lines):
        assert line.isprintable()
        assert not set(line) & set("\u202e\u200b\u2066\x1b\n\r")


def test_what_hides_is_shown() -> None:
    assert visible("a\u202eb\x1b[2Kc\u200bd") == "a\\u202eb\\x1b[2Kc\\u200bd"
