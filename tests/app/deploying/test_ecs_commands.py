"""`noria deploy ecs` from end to end: a builder that only notes what it is told, moto in the place of AWS."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from tests.stores.s3_server import keys_of_this_test, moto

from noria.app.cli import root
from noria.app.home import create_home, open_home
from noria.app.wiring import open_stores
from noria.errors import NoriaError, NotFound, OutsideError, StateError, UsageError

# What docker is to this test: it notes its arguments and its standard input, and "pushes" through ECR's API.
BUILDER = """\
#!{python}
import hashlib, json, os, sys, boto3
given = "" if sys.argv[1] != "login" else sys.stdin.read()
with open({notes!r}, "a") as notes:
    notes.write(json.dumps([sys.argv[1:], given]) + "\\n")
if sys.argv[1] == "build" and os.environ.get("BUILD_FAILS"):
    sys.exit(3)
if sys.argv[1] == "push":
    name, _, tag = sys.argv[2].partition("/")[2].partition(":")
    kind = "application/vnd.oci.image.manifest.v1+json"
    digest = "sha256:" + hashlib.sha256(tag.encode()).hexdigest()
    config = {{"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1, "digest": digest}}
    layer = {{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 1, "digest": digest}}
    manifest = {{"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}}
    boto3.client("ecr", region_name="eu-central-1").put_image(
        repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag)
"""


class Desk:
    """A home whose service is to run on ECS."""

    def __init__(self, home: Path, builder: Path, notes: Path, source: Path) -> None:
        self.home, self.builder, self._notes, self.source = home, builder, notes, source

    def run(self, *arguments: str) -> Any:
        """What a command prints with --json; its error is raised."""
        done = CliRunner().invoke(root, ["deploy", "ecs", *arguments, "--home", str(self.home), "--json"])
        if isinstance(done.exception, NoriaError):
            raise done.exception
        assert done.exception is None, done.output
        return json.loads(done.stdout.splitlines()[-1])

    def push(self, tag: str) -> Any:
        return self.run("push", "--tag", tag, "--builder", str(self.builder), "--source", str(self.source))

    @property
    def notes(self) -> list[tuple[list[str], str]]:
        return [tuple(json.loads(line)) for line in self._notes.read_text().splitlines()]

    @property
    def audit(self) -> list[Any]:
        stores = open_stores(open_home(self.home))
        try:
            return [e for e in stores.journal.access.audit(0, 2**62) if e.action == "deploy"]
        finally:
            stores.close()


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with moto() as port:
        keys_of_this_test(monkeypatch, port)
        ec2 = boto3.client("ec2", region_name="eu-central-1")
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        zones = {"eu-central-1a": "10.1.0.0/24", "eu-central-1b": "10.1.1.0/24"}
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for zone, block in zones.items()
        ]
        home, source = tmp_path / "home", tmp_path / "source"
        create_home(home)
        (home / "noria.toml").write_text(
            f'[ecs]\nregion = "eu-central-1"\nvpc = "{vpc}"\ntask_subnets = {json.dumps(subnets)}\n'
            f'load_balancer_subnets = {json.dumps(subnets)}\nbucket = "desk-lake"\n'
            'journal_secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:journal-AbCdEf"\n'
        )
        source.mkdir()
        (source / "Dockerfile").write_text("FROM scratch\n")
        builder, notes = tmp_path / "builder", tmp_path / "notes"
        builder.write_text(BUILDER.format(python=sys.executable, notes=str(notes)))
        builder.chmod(0o755)
        # minutes pass at once
        clock = SimpleNamespace(now=0.0)
        monkeypatch.setattr("noria.app.cli.deploying.ecs._monotonic_ms", lambda: round(clock.now))
        monkeypatch.setattr("noria.app.cli.deploying.ecs._sleep_ms", lambda ms: setattr(clock, "now", clock.now + ms))
        yield Desk(home, builder, notes, source)


def test_an_image_is_pushed_planned_applied_shown_and_taken_back(desk):
    first, second = desk.push("1.0"), desk.push("1.1")
    assert "@sha256:" in first["image"]
    (build, _), (login, password), (push, _) = desk.notes[:3]
    assert build[:3] == ["build", "--platform", "linux/amd64"]
    assert build[-1] == str(desk.source)
    assert login[:4] == ["login", "--username", "AWS", "--password-stdin"]
    assert password
    assert password not in " ".join(login)
    assert push == ["push", build[4]]

    assert desk.run("status") == {"phase": "absent"}
    assert {"Service", "LoadBalancer"} <= {c["resource"] for c in desk.run("plan", "--tag", "1.0")["changes"]}
    assert desk.run("status") == {"phase": "absent"}

    assert desk.run("apply", "--tag", "1.0")["outcome"] == "live"
    assert desk.run("apply", "--tag", "1.1")["outcome"] == "live"
    shown = desk.run("status")
    assert (shown["phase"], shown["tag"], shown["image"]) == ("steady", "1.1", second["image"])
    assert shown["outputs"]["Address"].startswith("http://")

    assert desk.run("rollback")["image"] == first["image"]
    assert desk.run("status")["tag"] == "1.0"
    assert desk.run("rollback", "--to", "1.1")["image"] == second["image"]

    told = [(e.target, e.detail["tag"], e.detail["outcome"]) for e in desk.audit]
    assert told == [("ecs:noria", tag, "live") for tag in ("1.0", "1.1", "1.0", "1.1")]


def test_a_rollout_that_fails_is_noted_with_its_reason(desk):
    desk.push("1.0")
    desk.run("apply", "--tag", "1.0")
    desk.push("1.1")
    cloudwatch = boto3.client("cloudwatch", region_name="eu-central-1")
    cloudwatch.put_metric_alarm(
        AlarmName="noria-rollout-errors", MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="noria-rollout-errors", StateValue="ALARM", StateReason="test")
    with pytest.raises(StateError, match=r"1\.1 is not live \(gave up\): an alarm rings \(noria-rollout-errors\)"):
        desk.run("apply", "--tag", "1.1")
    assert desk.run("status")["tag"] == "1.0"
    noted = desk.audit[-1].detail
    assert (noted["tag"], noted["outcome"]) == ("1.1", "gave_up")
    assert "noria-rollout-errors" in noted["reason"]


def test_what_cannot_be_done_is_said_before_anything_is_changed(desk, monkeypatch):
    with pytest.raises(NotFound, match="'noria deploy ecs push' makes it"):
        desk.run("apply", "--tag", "1.0")
    with pytest.raises(UsageError, match="no Dockerfile"):
        desk.run("push", "--builder", str(desk.builder), "--source", str(desk.home))
    with pytest.raises(UsageError, match="no program"):
        desk.run("push", "--builder", "no-such-program", "--source", str(desk.source))
    desk.push("1.0")
    with pytest.raises(NotFound, match=r"no image tag named '2\.0'"):
        desk.run("apply", "--tag", "2.0")
    with pytest.raises(StateError, match="knows no image that was live before"):
        desk.run("rollback")
    monkeypatch.setenv("BUILD_FAILS", "1")
    with pytest.raises(OutsideError, match="ended with 3"):
        desk.push("1.1")
    assert desk.run("status") == {"phase": "absent"}
    assert desk.audit == []


def test_settings_that_are_missing_are_named_with_their_lines(tmp_path):
    create_home(tmp_path / "home")
    done = CliRunner().invoke(root, ["deploy", "ecs", "status", "--home", str(tmp_path / "home")])
    assert isinstance(done.exception, UsageError)
    assert "journal_secret = " in str(done.exception)


def test_what_a_container_is_given_stands_in_for_the_settings(tmp_path, monkeypatch):
    create_home(tmp_path / "home")
    (tmp_path / "home" / "noria.toml").write_text('[serve]\nport = 1\n[stores]\nlake = "s3://a/b"\n')
    monkeypatch.setenv("NORIA_STORES_JOURNAL", "postgresql://noria@db/noria")
    monkeypatch.setenv("NORIA_SERVE_PORT", "8421")
    home = open_home(tmp_path / "home")
    assert home.journal_url == "postgresql://noria@db/noria"
    assert (home.settings.serve.port, home.lake) == (8421, "s3://a/b")
    monkeypatch.setenv("NORIA_SERVE_PORT", "many")
    with pytest.raises(UsageError, match="NORIA_SERVE_PORT must be a whole number"):
        open_home(tmp_path / "home")
    monkeypatch.delenv("NORIA_SERVE_PORT")
    monkeypatch.setenv("NORIA_STORES_JOURNALS", "x")
    with pytest.raises(
        UsageError, match=r"NORIA_STORES_JOURNALS: no such setting\. Did you mean 'NORIA_STORES_JOURNAL'"
    ):
        open_home(tmp_path / "home")
