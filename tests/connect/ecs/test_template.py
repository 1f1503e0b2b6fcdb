"""The CloudFormation template is what AWS accepts, as far as cfn-lint knows; and cfn-lint notices where it is not."""

from __future__ import annotations

import json
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cfnlint.decode import cfn_yaml

from noria.app.deploying.parameters import parameters
from noria.app.settings import EcsSettings
from noria.connect.ecs.service import TEMPLATE

TEXT = TEMPLATE.read_text(encoding="utf-8")
REGIONS = ManualArgs(regions=["eu-central-1", "us-east-1"])


def rules_against(text: str) -> set[str]:
    return {match.rule.id for match in lint(text, config=REGIONS)}


def resources() -> dict[str, Any]:
    return json.loads(json.dumps(cfn_yaml.loads(TEXT)))["Resources"]


def test_cfn_lint_finds_nothing_in_the_template():
    assert [str(match) for match in lint(TEXT, config=REGIONS)] == []


def test_wrong_templates_are_refused():
    """Each slip by the rule that knows it; all in one text, since a run of cfn-lint takes seconds."""
    slips = [
        ("Memory: !FindInMap [Sizes, !Ref Size, Memory]", "Memory: 1024", "E3047"),
        ("Cpu: !FindInMap [Sizes, !Ref Size, Cpu]", "Cpu: 1024", "E3047"),
        ("AssignPublicIp: !Ref PublicIp", "AssignPublicIP: !Ref PublicIp", "E3002"),
        ("TaskDefinition: !Ref TaskDefinition\n", "TaskDefinition: !Ref NoSuchThing\n", "E1020"),
        ("DependsOn: [Http, Capacity]", "DependsOn: [Http, Nothing]", "E3005"),
        ("AlarmNames: [!Ref Errors, !Ref Slow]", "AlarmNames: !GetAtt Errors.Nothing", "E1010"),
        ("          StopTimeout: 60\n", "          StopTimeout: soon\n", "E3012"),
        ("AllowedValues: [internal, internet-facing]", "AllowedValues: [inside, internet-facing]", "E2015"),
    ]
    text = TEXT
    for good, bad, _ in slips:
        assert text.count(good) == 1
        text = text.replace(good, bad)
    assert rules_against(text) >= {rule for _, _, rule in slips}


# CPU units → MiB, by AWS's page on task sizes
FARGATE = {
    "512": range(1024, 4096 + 1, 1024),
    "1024": range(2048, 8192 + 1, 1024),
    "2048": range(4096, 16384 + 1, 1024),
    "4096": range(8192, 30720 + 1, 1024),
}


def test_every_size_is_one_that_fargate_knows():
    """cfn-lint does not look through the mapping."""
    template = cfn_yaml.loads(TEXT)
    sizes = template["Mappings"]["Sizes"]
    assert list(sizes) == template["Parameters"]["Size"]["AllowedValues"]
    for size in sizes.values():
        assert int(size["Memory"]) in FARGATE[size["Cpu"]]


def test_every_parameter_is_given_by_the_settings_and_no_other():
    ecs = EcsSettings(
        vpc="vpc-1", task_subnets=["a", "b"], load_balancer_subnets=["a", "b"], journal_secret="arn:x", bucket="b"
    )
    given = parameters(ecs)
    known = set(cfn_yaml.loads(TEXT)["Parameters"])
    assert set(given) | {"Image"} == known
    for name, told in cfn_yaml.loads(TEXT)["Parameters"].items():
        if "Default" in told:
            assert given[name] == str(told["Default"]), name


def test_a_failed_rollout_is_rolled_back_by_the_platform_too():
    told = resources()["Service"]["Properties"]["DeploymentConfiguration"]
    assert told["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert (told["Alarms"]["Enable"], told["Alarms"]["Rollback"]) == (True, True)
    assert (told["MinimumHealthyPercent"], told["MaximumPercent"]) == (100, 200)


def test_no_role_may_do_more_than_is_needed():
    """No wildcard action, and a wildcard resource only for the one action of ECR that knows no other."""
    for name in ("ExecutionRole", "TaskRole"):
        role = resources()[name]["Properties"]
        assert "ManagedPolicyArns" not in role
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert not any("*" in action for action in actions)
                if statement["Resource"] == "*":
                    assert actions == ["ecr:GetAuthorizationToken"]


def test_secrets_stand_in_no_environment_variable():
    (container,) = resources()["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert [secret["Name"] for secret in container["Secrets"]] == ["NORIA_STORES_JOURNAL"]
    assert {e["Name"] for e in container["Environment"]} == {
        "NORIA_STORES_LAKE", "NORIA_STORES_BLOBS", "NORIA_SERVE_WORKERS"
    }  # fmt: skip
