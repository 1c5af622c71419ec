"""The user's configuration: which value holds, where it comes from, and what is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tasks
from builder import commandline
from builder.configuration import load as loading
from builder.configuration.load import UserConfiguration
from builder.configuration.places import FILE, VARIABLE
from builder.errors import UsageError
from builder.host.paths import APPLICATION
from builder.relay.model import CompilerCache
from builder.remote.model import Password
from tests.support.remote.keys import KeyPair
from tests.world import ROOT

OLD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmhB5kKmLYlePLcPlpEdO0eeJZcSRrQSA2s08WRCpAx old"
SECRET = "hunter-two-and-three"


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of this test's own, for the user's file and the machine's."""
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))


def write(folder: Path, text: str, *, mode: int = 0o644) -> Path:
    path = folder / APPLICATION / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def secret(path: Path, text: str = f"ci:{SECRET}\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def origins(found: UserConfiguration) -> dict[str, str]:
    return {one.key: one.origin for one in found.held}


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as refusal:
        loading.load()
    assert refusal.value.hint
    assert SECRET not in str(refusal.value) + refusal.value.hint
    return refusal.value


def test_without_a_file_nothing_is_shared(tmp_path: Path) -> None:
    found = loading.load()
    assert found.stages is None
    files = [one for one in found.held if one.key == "file"]
    assert [one.value for one in files] == [
        str(tmp_path / home / APPLICATION / FILE) for home in ("machine", "user")
    ]
    assert {one.origin for one in files} == {"does not exist"}


def test_the_users_keys_replace_the_machines_one_by_one(tmp_path: Path) -> None:
    machine = write(tmp_path / "machine", f'[stages]\nstore = "https://one/"\naccept = ["{OLD}"]\n')
    user = write(tmp_path / "user", '[stages]\nstore = "https://two/stages"\n')
    found = loading.load()
    assert found.stages is not None
    assert found.stages.url == "https://two/stages/"
    assert [key.name for key in found.stages.accept] == ["old"]
    assert not found.stages.pushes
    assert origins(found)["stages.store"] == f"{user}:2"
    assert origins(found)["stages.accept"] == f"{machine}:3"
    assert origins(found)["stages.mode"] == "default"


def test_the_environment_names_another_store_and_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "user", f'[stages]\nstore = "https://one/"\naccept = ["{OLD}"]\n')
    monkeypatch.setenv(loading.STORE, "https://elsewhere/")
    found = loading.load()
    assert found.stages is not None
    assert found.stages.url == "https://elsewhere/"
    assert origins(found)["stages.store"] == loading.STORE
    other = tmp_path / "other.toml"
    other.write_text("")
    monkeypatch.setenv(VARIABLE, str(other))
    with pytest.raises(UsageError, match="no key"):  # its file does not accept anybody
        loading.load()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone.toml"))
    with pytest.raises(UsageError, match=r"gone\.toml cannot be read"):
        loading.load()


def test_a_machine_that_pushes_has_a_key_and_a_password(tmp_path: Path, pair: KeyPair) -> None:
    home = write(tmp_path / "user", "").parent
    (home / "key").symlink_to(pair.path)
    secret(home / "token")
    text = (
        '[stages]\nstore = "https://one/"\nmode = "read-write"\nsign = "key"\n'
        f'token-file = "token"\naccept = ["{pair.line}"]\n'
    )
    write(tmp_path / "user", text)
    found = loading.load().stages
    assert found is not None
    assert (found.sign, found.password) == (home / "key", Password(f"ci:{SECRET}"))
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "place", "cause"),
    [
        ('[stages]\nstroe = "https://one/"\n', ":2", "did you mean 'store'?"),
        ('[stages]\ntoken_file = "x"\n', ":2", "did you mean 'token-file'?"),
        ("\n[stage]\n", ":2", "did you mean 'stages'?"),
        ('[stages]\nmode = "write"\n', ":2", "stages.mode"),
        ('[stages]\nstore = "ftp://one/"\n', ":2", "'ftp' is none of https, http"),
        (f'[stages]\nstore = "https://ci:{SECRET}@one/"\n', ":2", "token-file"),
        ('[stages]\nstore = "https://one/?a=b"\n', ":2", "a query or a fragment"),
        ('[stages]\nstore = "https://one/"\n', ":2", "stages.accept: it has no key"),
        ('[stages]\naccept = ["ssh-rsa AAAA x"]\n', ":2", "only ssh-ed25519 is"),
        ('[stages]\naccept = ["ssh-ed25519 AAAA x"]\n', ":2", "not a whole Ed25519 key"),
        (f'[stages]\naccept = ["{OLD}*"]\n', ":2", "'old*' is not a key's name"),
        (f'[stages]\naccept = ["{OLD}", "{OLD}"]\n', ":2", "twice"),
        ('[stages]\nstore = "https://one/"\nmode = "read-write"\n', ":3", "stages.sign"),
        ('[stages]\nsign = "a\\u0000b"\n', ":2", "sign: not a path: it has a control character"),
        ('[stages]\ntoken-file = "~\\u0000/x"\n', ":2", "stages.token-file: not a path"),
        ('[compiler-cache]\ntoken-file = "a\\nb"\n', ":2", "compiler-cache.token-file: not a path"),
        ("[stages\n", ":1", "Expected"),
        ('[compiler-cache]\nstore = "ftp://one/"\n', ":2", "none of https, http, redis, rediss"),
        ('[compiler-cache]\nsign = "x"\n', ":2", "sign"),
        ('[compiler_cache]\nmode = "read"\n', ":1", "did you mean 'compiler-cache'?"),
        (f'[compiler-cache]\nstore = "redis://:{SECRET}@one"\n', ":2", "token-file"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, text: str, place: str, cause: str
) -> None:
    error = refused(write(tmp_path / "user", text))
    assert error.what == f"{APPLICATION}/{FILE}{place} cannot be used"
    assert cause in error.cause


def test_a_password_does_not_go_through_the_network_in_clear_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = secret(tmp_path / "token")
    write(
        tmp_path / "user",
        f'[stages]\nstore = "http://cache.lan/"\ntoken-file = "{path}"\naccept = ["{OLD}"]\n',
    )
    assert "in clear text" in refused(path).cause
    monkeypatch.setenv(loading.STORE, "http://127.0.0.1:8080/")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert loading.load().stages is not None
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("http_proxy", "http://proxy.lan:3128")
    with pytest.raises(UsageError, match="in clear text"):
        loading.load()


def open_file(home: Path, pair: KeyPair) -> Path:
    return write(home, "", mode=0o666)


def open_key(home: Path, pair: KeyPair) -> Path:
    path = secret(home / "key", pair.path.read_text(), 0o644)
    write(home, f'[stages]\nstore = "https://one/"\nmode = "read-write"\nsign = "{path}"\n')
    return path


def open_token(home: Path, pair: KeyPair) -> Path:
    path = secret(home / "token", mode=0o640)
    write(home, f'[stages]\nstore = "https://one/"\ntoken-file = "{path}"\n')
    return path


def missing_token(home: Path, pair: KeyPair) -> Path:
    write(home, f'[stages]\nstore = "https://one/"\ntoken-file = "{home / "token"}"\n')
    return home / "token"


def wrong_token(home: Path, pair: KeyPair) -> Path:
    path = secret(home / "token", f"{SECRET} {SECRET}\n{SECRET}")
    write(home, f'[stages]\nstore = "https://one/"\ntoken-file = "{path}"\n')
    return path


@pytest.mark.parametrize(
    ("spoil", "cause", "hint"),
    [
        (open_file, "others may write to it: its mode is 0666", "chmod go-w"),
        (open_key, "others may read it: its mode is 0644", "chmod 600"),
        (open_token, "others may read it: its mode is 0640", "chmod 600"),
        (missing_token, "No such file", "make it"),
        (wrong_token, "not one line", "USER:PASSWORD or a token"),
    ],
)
def test_a_file_that_others_may_change_or_read_is_refused(
    tmp_path: Path,
    pair: KeyPair,
    spoil: Callable[[Path, KeyPair], Path],
    cause: str,
    hint: str,
) -> None:
    (tmp_path / "user").mkdir()
    error = refused(path := spoil(tmp_path / "user", pair))
    assert error.what == f"{path} cannot be used"
    assert cause in error.cause
    assert hint in error.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "user", "")
    os.chown(path, 4711, -1)
    assert "belongs to the user number 4711" in refused(path).cause


def test_show_config_prints_what_holds_and_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "user", f'[stages]\nstore = "https://one/"\naccept = ["{OLD}"]\n')
    monkeypatch.setenv(loading.TOKEN, SECRET)
    words = "show config --profile lts"
    assert commandline.run(tasks, words.split()) == 0
    told = capsys.readouterr().out
    lines = dict(line.split("  ", 1) for line in told.splitlines())
    assert lines["stages.store"].strip() == f"https://one/ ({path}:2)"
    assert lines["stages.mode"].strip() == "read (default)"
    fingerprint = loading.load().stages.accept[0].fingerprint  # type: ignore[union-attr]
    assert lines["stages.accept"].strip() == f"old {fingerprint} ({path}:3)"
    assert lines["stages password"].strip() == f"token, not shown ({loading.TOKEN})"
    assert SECRET not in told


@pytest.mark.parametrize("caches", [False, True])
@pytest.mark.parametrize("pushes", [False, True])
def test_the_script_for_ci_writes_a_configuration_that_is_read(
    tmp_path: Path, pair: KeyPair, *, pushes: bool, caches: bool
) -> None:
    """docs/how-to/scale/ci.sh, with the secrets of a protected branch and without."""
    here = tmp_path / "scale"
    here.mkdir()
    for name in ("ci.sh", "config.toml"):
        text = (ROOT / "docs/how-to/scale" / name).read_text()
        if caches:
            text = text.replace("# [compiler-cache]\n# store", "[compiler-cache]\nstore")
        (here / name).write_text(text)
    secrets = {"STAGES_KEY": pair.path.read_text(), "STAGES_PASSWORD": f"ci:{SECRET}"}
    # A runner that keeps files has those of the job before.
    for given in (secrets, secrets if pushes else {}):
        subprocess.run(["sh", here / "ci.sh"], check=True, env={**os.environ, **given})
    loaded = loading.load()
    found = loaded.stages
    assert found is not None
    assert found.url == "https://stages.example.org/"
    assert [key.name for key in found.accept] == ["ci"]
    home = tmp_path / "user" / APPLICATION
    password = Password(f"ci:{SECRET}") if pushes else None
    if pushes:
        assert (found.sign, found.password) == (home / "stages-key", password)
        subprocess.run(["ssh-keygen", "-y", "-f", home / "stages-key"], check=True)
    else:
        assert (found.sign, found.password) == (None, None)
        assert [path.name for path in home.iterdir()] == [FILE]
    cache = CompilerCache("https://stages.example.org/objects/", pushes, password)
    assert loaded.compiler == (cache if caches else None)


def test_every_line_of_the_example_can_be_used(tmp_path: Path, pair: KeyPair) -> None:
    """docs/how-to/scale/config.toml, with all its lines that are commented out."""
    lines = (ROOT / "docs/how-to/scale/config.toml").read_text().splitlines()
    keys = ("# [", "# store", "# mode", "# sign", "# token-file")
    text = [line.removeprefix("# ") if line.startswith(keys) else line for line in lines]
    home = write(tmp_path / "user", "\n".join(text)).parent
    secret(home / "stages-key", pair.path.read_text())
    secret(home / "stages-token")
    loaded = loading.load()
    assert loaded.stages is not None
    assert loaded.stages.sign == home / "stages-key"
    assert loaded.compiler is not None
    assert loaded.compiler.pushes


def test_the_compiler_cache_has_a_table_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = secret(tmp_path / "token", SECRET)
    text = (
        f'[compiler-cache]\nstore = "https://one/o"\nmode = "read-write"\ntoken-file = "{path}"\n'
    )
    user = write(tmp_path / "user", text)
    found = loading.load()
    assert found.stages is None
    assert found.compiler == CompilerCache("https://one/o", True, Password(SECRET))
    assert SECRET not in repr(found)
    assert origins(found)["compiler-cache.store"] == f"{user}:2"
    assert origins(found)["compiler-cache password"] == str(path)
    monkeypatch.setenv(loading.CACHE, "rediss://cache.lan:6380/3")
    monkeypatch.setenv(loading.CACHE_TOKEN, "another-secret")
    found = loading.load()
    assert found.compiler == CompilerCache(
        "rediss://cache.lan:6380/3", True, Password("another-secret")
    )
    assert origins(found)["compiler-cache.store"] == loading.CACHE
    monkeypatch.setenv(loading.CACHE, "redis://cache.lan")
    with pytest.raises(UsageError, match="in clear text"):
        loading.load()
    monkeypatch.setenv(loading.CACHE, "redis://127.0.0.1/")
    assert loading.load().compiler is not None


def test_workers_come_from_the_file_the_environment_or_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loading.load().workers == ()
    assert loading.load().compare == 0.01
    text = '[workers]\nhosts = ["build1/4", "build2:4000/8"]\ncompare = 0.5\n'
    user = write(tmp_path / "user", text)
    found = loading.load()
    assert [str(one) for one in found.workers] == ["build1", "build2:4000"]
    assert found.compare == 0.5
    assert origins(found)["workers.hosts"] == f"{user}:2"
    monkeypatch.setenv(loading.HOSTS, "build3/2, build4/2")
    found = loading.load()
    assert [(one.host, one.slots) for one in found.workers] == [("build3", 2), ("build4", 2)]
    assert origins(found)["workers.hosts"] == loading.HOSTS
    assert {one.key: one.value for one in found.held}["workers.hosts"] == "build3/2, build4/2"
    named = loading.named_workers("build5/1")
    assert named
    assert [str(one) for one in named] == ["build5"]
    assert loading.named_workers(None) is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[workers]\nhosts = ["build1"]\n', 2, "workers.hosts: 'build1': it is not HOST/JOBS"),
        ('[workers]\n\nhosts = ["a/1", "a/2"]\n', 3, "workers.hosts: a is in it twice"),
        ('[workers]\nhosts = "build1/4"\n', 2, "hosts"),
        ("[workers]\ncompare = 0\n", 2, "compare"),
        ("[workers]\ncompare = 1.5\n", 2, "compare"),
        ('[workers]\nhost = ["build1/4"]\n', 2, "host"),
    ],
)
def test_a_malformed_table_of_workers_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    path = write(tmp_path / "user", text)
    fault = refused(path)
    assert f"config.toml:{line}" in str(fault)
    assert words in str(fault)


@pytest.mark.parametrize("words", ["build1", "build1/0", "a/1,a/2", "", "http://build1/4"])
def test_a_malformed_option_is_refused_by_its_name(words: str) -> None:
    with pytest.raises(UsageError, match="--workers cannot be used: ") as refusal:
        loading.named_workers(words)
    assert refusal.value.hint
    assert "hosts" not in str(refusal.value) + refusal.value.hint


@pytest.mark.parametrize(
    ("variable", "value", "cause", "hint"),
    [
        (loading.HOSTS, "build1", "'build1': it is not HOST", "export LVS_WORKERS=build2.example"),
        (loading.STORE, "one", "what has no scheme", "export LVS_STAGE_STORE=https://HOST/PATH/"),
        (loading.CACHE, "one", "what has no scheme", "export LVS_CACHE_REMOTE=https://HOST/PATH/"),
    ],
)
def test_a_malformed_variable_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, cause: str, hint: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as refusal:
        loading.load()
    assert refusal.value.what == f"{variable} cannot be used"
    assert refusal.value.cause.startswith(cause)
    assert refusal.value.hint.startswith(hint)


def test_the_key_is_named_where_another_one_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loading.STORE, "https://one/")
    with pytest.raises(UsageError, match=f"{loading.STORE} cannot be used: stages.accept: it has"):
        loading.load()
