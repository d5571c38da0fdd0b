"""The policy files: signed, shown, and not believed when another hand was there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from locum.broker.policy import Deny, Policies, Rules, Standing
from locum.broker.policy_file import PolicyFile
from locum.errors import UsageProblem
from locum.secret import SecretBytes

YES = Standing("pol_1", "h" * 64, 100, 1000, "editor", "test", 'npm "test" \\ ', "/w", "/w", ("locum://API_KEY",))


def derive_of(vault: bytes) -> Callable[[bytes], SecretBytes]:
    return lambda salt: SecretBytes(hashlib.sha256(vault + salt).digest())


DERIVE = derive_of(b"one")


@pytest.fixture
def files(tmp_path: Path) -> PolicyFile:
    for name in ("config", "state"):
        (tmp_path / name).mkdir(mode=0o700)
    return PolicyFile(
        tmp_path / "config" / "policy.toml", tmp_path / "state" / "policy.signed", tmp_path / "admin.toml"
    )


def test_what_is_saved_is_loaded(files: PolicyFile) -> None:
    policies = Policies(user=Rules(deny=(Deny(reference="X*", reason='"quoted"'),), always_ask=("A",)), standing=[YES])
    files.save(DERIVE, files.load(DERIVE), policies)
    loaded = files.load(DERIVE)
    assert loaded.policies.user == policies.user
    assert loaded.policies.standing == policies.standing
    assert (loaded.generation, loaded.remarks, loaded.edited) == (1, (), False)


def test_another_vaults_signature_is_none(files: PolicyFile) -> None:
    files.save(DERIVE, files.load(DERIVE), Policies(standing=[YES]))
    loaded = files.load(derive_of(b"two"))
    assert not loaded.policies.standing
    assert loaded.edited


def test_any_changed_byte_of_the_signed_copy_is_noticed(files: PolicyFile, tmp_path: Path) -> None:
    files.save(DERIVE, files.load(DERIVE), Policies(standing=[YES]))
    signed = tmp_path / "state" / "policy.signed"
    whole = signed.read_bytes()
    for at in range(len(whole)):
        signed.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        loaded = files.load(DERIVE)
        assert not loaded.policies.standing or loaded.policies.standing == {"pol_1": YES}
    signed.write_bytes(b"")
    assert not files.load(DERIVE).policies.standing


def test_in_the_workspace_that_asks_nothing_stands(files: PolicyFile, tmp_path: Path) -> None:
    files.save(DERIVE, files.load(DERIVE), Policies(standing=[YES]))
    loaded = files.load(DERIVE, str(tmp_path))
    assert not loaded.policies.standing
    assert "lies in the workspace" in loaded.remarks[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense = 1", "unknown key"), ("max_ttl = 'soon'", "duration"), ("deny = 3", "list of tables"),
        ("[[deny]]\nreason = 'x'", "without any pattern"), ("[[deny]]\nwhat = 'x'", "not known"), ("level = 'L9'", "L0"),
        ("channels = 'env'", "list of texts"), ("[[standing]]\nid = 'x'", "unknown key"), ("= 3", ""), ("\x00", ""),
    ],
)  # fmt: skip
def test_an_administrators_file_that_is_not_understood_forbids_everything(
    files: PolicyFile, tmp_path: Path, text: str, says: str
) -> None:
    admin = tmp_path / "admin.toml"
    admin.write_text(text)
    admin.chmod(0o644)
    loaded = files.load(DERIVE)
    assert loaded.policies.admin.deny
    assert says in loaded.remarks[0]
    assert "nothing is granted" in loaded.remarks[0]


def test_an_administrators_file_of_others_forbids_everything(files: PolicyFile, tmp_path: Path) -> None:
    admin = tmp_path / "admin.toml"
    admin.write_text("max_standing = 0\n")
    admin.chmod(0o644)
    if admin.stat().st_uid == 0:
        assert files.load(DERIVE).policies.admin == Rules(max_standing=0)
    admin.chmod(0o666)
    assert files.load(DERIVE).policies.admin.deny


def test_what_a_person_adopts_must_make_sense(files: PolicyFile, tmp_path: Path) -> None:
    shown = tmp_path / "config" / "policy.toml"
    files.save(DERIVE, files.load(DERIVE), Policies(standing=[YES]))
    shown.write_text("[[deny]]\nreference = 'X'\n")
    files.adopt(DERIVE, files.load(DERIVE))
    loaded = files.load(DERIVE)
    assert loaded.policies.user.deny == (Deny(reference="X"),)
    assert not loaded.policies.standing
    assert loaded.generation == 2
    shown.write_text("typo = 1\n")
    with pytest.raises(UsageProblem):
        files.adopt(DERIVE, files.load(DERIVE))
    assert files.restore(DERIVE)
    assert "X" in shown.read_text()


def test_an_older_signed_copy_brings_no_yes_back(files: PolicyFile, tmp_path: Path) -> None:
    signed, rules = tmp_path / "state" / "policy.signed", Rules(deny=(Deny(reference="X*"),))
    files.save(DERIVE, files.load(DERIVE), Policies(standing=[YES]))
    old = signed.read_bytes()
    files.save(DERIVE, files.load(DERIVE), Policies(user=rules))
    for attack in (lambda: signed.write_bytes(old), signed.unlink):
        attack()
        loaded = files.load(DERIVE)
        assert not loaded.policies.standing
        assert loaded.policies.user == rules  # what is forbidden stays so
        assert any("older" in remark for remark in loaded.remarks)
        files.restore(DERIVE)
        assert files.load(DERIVE).remarks == ()


def test_adopting_takes_what_was_shown_and_adds_no_yes(files: PolicyFile, tmp_path: Path) -> None:
    path = tmp_path / "config" / "policy.toml"
    files.save(DERIVE, files.load(DERIVE), Policies(standing=[YES]))
    text = path.read_text()
    path.write_text(text.replace("h" * 64, "e" * 64))
    with pytest.raises(UsageProblem, match="by hand"):
        files.adopt(DERIVE, files.load(DERIVE))
    path.write_text(text + "#\n" * 400)
    with pytest.raises(UsageProblem, match="can show"):
        files.adopt(DERIVE, files.load(DERIVE))
    path.write_text('max_ttl = "1h"\n' + text)
    seen = files.load(DERIVE)
    path.write_text('max_ttl = "9h"\n' + text)
    files.adopt(DERIVE, seen)
    assert files.load(DERIVE).policies.user.max_ttl == 3600
