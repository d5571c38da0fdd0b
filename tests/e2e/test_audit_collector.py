"""Copies of the record at a collector, on real parts: a real broker, a real HTTP server, a person's terminal."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.home import Home, canary


class Collector:
    """An OTLP/HTTP collector that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.status, self.answer, self.headers = 200, b"{}", list[tuple[str, str]]()
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), body))
                self.send_response(outer.status)
                for name, value in outer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def log_records(self) -> list[dict[str, Any]]:
        """Return the log records of all accepted requests, having checked their shape."""
        found: list[dict[str, Any]] = []
        for path, headers, body in self.requests:
            assert path == "/v1/logs"
            assert headers["Content-Type"] == "application/json"
            request = json.loads(body)
            (resource,) = request["resourceLogs"]
            about = {item["key"]: item["value"] for item in resource["resource"]["attributes"]}
            assert about["service.name"] == {"stringValue": "locum"}
            (scope,) = resource["scopeLogs"]
            for record in scope["logRecords"]:
                assert record["timeUnixNano"].isdecimal()
                assert record["severityNumber"] in {9, 13}
                names = [item["key"] for item in record["attributes"]]
                assert {"event.name", "process.pid", "enduser.id", "locum.hash"} <= set(names)
                assert all(len(item["value"]) == 1 for item in record["attributes"])
                found.append(record)
        return found

    def sequences(self) -> list[int]:
        return [json.loads(record["body"]["stringValue"])["metadata"]["sequence"] for record in self.log_records()]


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.close()


@pytest.fixture
def home(vault_home: Home) -> Home:
    vault_home.store("API_KEY", canary())
    return vault_home


def configure(home: Home, endpoint: str, more: str = "") -> None:
    folder = home.path / "config"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "audit.toml"
    file.write_text(f'[collector]\nendpoint = "{endpoint}"\n{more}')
    file.chmod(0o600)


def apply(home: Home, answer: str = "y") -> str:
    terminal = home.terminal("audit", "collector", "--apply")
    shown = terminal.wait_for("Allow")
    terminal.answer(answer + "\n")
    assert terminal.wait() == (0 if answer == "y" else 3), terminal.text
    return shown


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def run_task(home: Home, code: int = 0) -> str:
    terminal = home.terminal("run", "--secret", "API_KEY", "--", "true")
    if code == 0:
        terminal.answer()
    assert terminal.wait() == code, terminal.text
    return terminal.text


def records(home: Home) -> list[dict[str, Any]]:
    return home.json("audit", "show", "--last", "999")["records"]


def test_a_collector_gets_every_record_once_a_person_allowed_it(home: Home, collector: Collector) -> None:
    token = canary()
    home.store("OTLP_TOKEN", token)
    configure(home, f"http://127.0.0.1:{collector.port}", 'headers = { Authorization = "Bearer locum://OTLP_TOKEN" }\n')
    assert "--apply" in home.run("audit", "collector").stdout
    run_task(home)
    assert collector.requests == [], "a file alone sends nothing anywhere"
    shown = apply(home)
    assert f"http://127.0.0.1:{collector.port}/v1/logs" in shown
    assert "Authorization: Bearer locum://OTLP_TOKEN" in shown
    run_task(home)
    count = len(records(home))
    assert wait_until(lambda: len(collector.sequences()) >= count)
    assert collector.sequences()[:count] == list(range(1, count + 1)), "from the first one on, in order, once"
    assert collector.requests[0][1]["Authorization"] == f"Bearer {token}"
    assert token.encode() not in home.everything_written()
    assert all(token.encode() not in body for _, _, body in collector.requests)
    verdict = home.json("audit", "verify")
    assert verdict["ok"]
    (says,) = [anchor["says"] for anchor in verdict["anchors"] if anchor["name"] == "collector"]
    assert "127.0.0.1 has taken" in says
    home.run("broker", "stop")
    home.run("secret", "list")
    assert wait_until(lambda: len(collector.sequences()) >= len(records(home)))
    assert len(set(collector.sequences())) == len(collector.sequences()), "a new broker goes on where the old one was"


def test_an_edited_file_is_not_in_force(home: Home, collector: Collector) -> None:
    thief = Collector()
    home.store("OTLP_TOKEN", canary())
    configure(home, f"http://127.0.0.1:{collector.port}")
    apply(home)
    configure(home, f"http://127.0.0.1:{thief.port}", 'headers = { Authorization = "locum://API_KEY" }\n')
    home.run("broker", "stop")
    run_task(home)
    assert apply(home, "n")
    allowed = home.path / "state/audit.collector"
    allowed.write_text(allowed.read_text().replace(str(collector.port), str(thief.port)))
    home.run("broker", "stop")
    run_task(home)
    assert thief.requests == []
    thief.close()


def test_only_a_copy_elsewhere_shows_that_log_and_anchors_went_together(home: Home, collector: Collector) -> None:
    configure(home, f"http://127.0.0.1:{collector.port}")
    apply(home)
    run_task(home)
    count = len(records(home))
    assert wait_until(lambda: len(collector.sequences()) >= count)
    copy = home.project / "collected.json"
    copy.write_bytes(b"\n".join(body for _, _, body in collector.requests))
    assert "every one of the" in home.run("audit", "verify", "--against", str(copy)).stdout
    broker = home.json("broker", "status")["pid"]
    home.run("broker", "stop")
    assert wait_until(lambda: not Path(f"/proc/{broker}").exists())
    for file in (home.path / "state").glob("audit*"):
        if file.suffix != ".collector":
            file.unlink()
    assert home.run("audit", "verify").returncode == 0, "nothing here knows better"
    done = home.run("audit", "verify", "--against", str(copy), check=1)
    assert "not what the copy says" in done.stdout


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (503, [], "it answers 503"),
        (401, [], "it answers 401"),
        (307, [("Location", "http://127.0.0.1:1/")], "redirect"),
    ],
)
def test_what_it_does_not_take_is_told_kept_and_sent_later(
    home: Home, collector: Collector, status: int, headers: list[tuple[str, str]], says: str
) -> None:
    marker = canary()
    collector.status, collector.headers, collector.answer = status, headers, marker.encode()
    configure(home, f"http://127.0.0.1:{collector.port}")
    apply(home)
    run_task(home)
    assert wait_until(lambda: says in home.run("audit", "collector").stdout)
    assert says in home.json("broker", "status")["audit"]["collector"]["trouble"]
    assert marker.encode() not in home.everything_written(), "what a stranger answers is not kept"
    assert marker not in home.run("audit", "collector").stdout
    collector.requests.clear()
    collector.status, collector.answer, collector.headers = 200, b"{}", []
    assert wait_until(
        lambda: bool(collector.requests) and home.json("broker", "status")["audit"]["collector"]["trouble"] == ""
    )
    assert 1 in collector.sequences()


def test_a_required_one_that_is_away_stops_grants_with_a_reason(home: Home, collector: Collector) -> None:
    configure(home, f"http://127.0.0.1:{collector.port}", "required = true\n")
    assert "nothing is granted" in apply(home)
    run_task(home)
    granted = [record for record in records(home) if record["api"]["operation"] == "lease.use"]
    assert granted[-1]["metadata"]["sequence"] in collector.sequences(), (
        "it had the record before the task had the value"
    )
    collector.status = 503
    terminal = home.terminal("run", "--secret", "API_KEY", "--", "touch", "started")
    with contextlib.suppress(AssertionError):  # when it is known to be away, nobody is asked first
        terminal.answer()
    assert terminal.wait() == 3
    assert "which you require, does not take it" in terminal.text
    assert not (home.project / "started").exists()
    collector.status = 200
    assert wait_until(lambda: home.json("broker", "status")["audit"]["collector"]["trouble"] == "")
    run_task(home)


def test_one_that_is_not_there_holds_nobody_up_where_it_is_not_required(home: Home, collector: Collector) -> None:
    configure(home, f"http://127.0.0.1:{collector.port}")
    apply(home)
    collector.close()
    run_task(home)
    assert wait_until(lambda: "cannot be reached" in home.run("audit", "collector").stdout)
    run_task(home)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[collector]\nendpoint = "http://collector.example"\n', "use https"),
        ('[collector]\nendpoint = "ftp://x"\n', "endpoint"),
        ('[collector]\nendpoint = "https://u@x"\n', "endpoint"),
        ('[collector]\nendpoint = "https://x"\nheaders = { Authorization = "plain" }\n', "belongs into the vault"),
        ('[collector]\nendpoint = "https://x"\nproxy = "y"\n', "unknown key"),
        ("[collector\n", "TOML"),
    ],
)
def test_a_wrong_file_is_named(home: Home, text: str, says: str) -> None:
    configure(home, "https://x")
    file = home.path / "config/audit.toml"
    file.write_text(text)
    done = home.run("audit", "collector", "--apply", check=2)
    assert says in done.stderr
    assert says in home.run("audit", "collector").stdout


def test_a_file_that_others_may_write_is_refused(home: Home) -> None:
    configure(home, "https://x")
    (home.path / "config/audit.toml").chmod(0o666)
    assert "only you can write" in home.run("audit", "collector", "--apply", check=2).stderr


def test_no_person_no_collector(home: Home, tmp_path: Path) -> None:
    configure(home, "https://x")
    assert "takes a person" in home.run("audit", "collector", "--apply", check=3).stderr
