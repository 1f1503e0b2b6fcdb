"""What is said to AWS, word by word, against moto: ECR, CloudFormation, ECS, CloudWatch.

moto does not show a rollout: a stack is complete at once, a service never starts a task. What happens in between is the
state machine's business (tests/release/deploying), and real AWS was not asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError, ParamValidationError
from botocore.stub import Stubber
from tests.stores.s3_server import keys_of_this_test, moto

from noria.app.deploying.parameters import parameters
from noria.app.settings import EcsSettings
from noria.connect.ecs import EcsService, Images
from noria.connect.ecs.client import Clients, trouble_of
from noria.errors import NotFound, UsageError


@pytest.fixture(scope="module")
def aws():
    """A client factory of a server with a network."""
    with pytest.MonkeyPatch.context() as patch, moto() as port:
        keys_of_this_test(patch, port)
        yield boto3.Session(region_name="eu-central-1").client


@pytest.fixture(scope="module")
def settings(aws) -> EcsSettings:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("ab")
    ]
    secret = aws("secretsmanager").create_secret(Name="journal", SecretString="postgresql://noria@db/noria")["ARN"]
    return EcsSettings(
        stack="desk", region="eu-central-1", vpc=vpc, task_subnets=subnets, load_balancer_subnets=subnets,
        journal_secret=secret, bucket="desk-lake",
    )  # fmt: skip


@pytest.fixture(scope="module")
def images(aws) -> Images:
    return Images(Clients("eu-central-1"), "noria")


def put(aws: Any, tag: str) -> str:
    """An image in ECR, as a push leaves it."""
    layers = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 1, "digest": _digest(f"layer {tag}")}
    ]
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 1, "digest": _digest(tag)}
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
    aws("ecr").put_image(repositoryName="noria", imageManifest=json.dumps(manifest), imageTag=tag)
    return tag


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_a_repository_is_made_once_with_tags_that_cannot_be_moved(aws, images):
    with contextlib.suppress(aws("ecr").exceptions.RepositoryNotFoundException):
        aws("ecr").delete_repository(repositoryName="noria", force=True)
    address, made = images.make_repository()
    assert made
    assert images.make_repository() == (address, False)
    (repository,) = aws("ecr").describe_repositories(repositoryNames=["noria"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    policy = json.loads(aws("ecr").get_lifecycle_policy(repositoryName="noria")["lifecyclePolicyText"])
    assert policy["rules"][0]["selection"]["countNumber"] == 30
    user, password = images.password()
    assert user == "AWS"
    assert password


def test_an_image_is_named_by_its_digest(aws, images):
    images.make_repository()
    image = images.by_tag(put(aws, "1.0-aaa"))
    assert "@sha256:" in image
    assert images.has(image)
    assert images.tag_of(image) == "1.0-aaa"
    assert not images.has(image[:-4] + "0000")
    with pytest.raises(NotFound, match=r"no image tag named '1.0-aab'. Did you mean '1.0-aaa'"):
        images.by_tag("1.0-aab")


def test_without_a_repository_it_is_said_what_makes_one(aws):
    with pytest.raises(NotFound, match="'noria deploy ecs push' makes it"):
        Images(Clients("eu-central-1"), "other").by_tag("1.0")
    assert not Images(Clients("eu-central-1"), "other").has("x@sha256:1")


def test_a_service_is_planned_made_changed_and_taken_back(aws, settings, images):
    images.make_repository()
    first, second = images.by_tag(put(aws, "1.0-bbb")), images.by_tag(put(aws, "1.1-ccc"))
    service = EcsService(Clients("eu-central-1"), images, "desk", parameters(settings))
    assert first != second
    assert service.describe().phase == "absent"
    assert service.outputs() == {}

    planned = service.plan(first)
    assert {c.action for c in planned} == {"Add"}
    assert {"Service", "TaskDefinition", "LoadBalancer", "Errors"} <= {c.resource for c in planned}
    assert service.describe().phase == "absent"

    assert service.promote(first) is None
    assert (service.describe().phase, service.describe().version) == ("steady", first)
    told = container(aws)
    assert told["image"] == first
    assert told["secrets"] == [{"name": "NORIA_STORES_JOURNAL", "valueFrom": settings.journal_secret}]
    assert {e["name"]: e["value"] for e in told["environment"]} == {
        "NORIA_STORES_LAKE": "s3://desk-lake/noria/lake", "NORIA_STORES_BLOBS": "s3://desk-lake/noria/blobs",
        "NORIA_SERVE_WORKERS": "2",
    }  # fmt: skip
    outputs = service.outputs()
    assert outputs["Address"].startswith("http://")
    assert outputs["ServiceName"]
    assert service.tasks()[0] == 0

    before = revision(aws)
    assert service.promote(second) is None
    assert service.describe().version == second
    after = revision(aws)
    assert after != before

    assert service.roll_back(first) is None
    assert service.describe().version == first
    assert revision(aws) not in {before, after}


def container(aws: Any) -> Any:
    """The container of the newest task definition."""
    arn = aws("ecs").list_task_definitions(sort="DESC", familyPrefix="desk")["taskDefinitionArns"][0]
    return aws("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"][0]


def revision(aws: Any) -> str:
    """The newest task definition; what is in it moto tells only of a new stack's."""
    return aws("ecs").list_task_definitions(sort="DESC", familyPrefix="desk")["taskDefinitionArns"][0]


def test_an_image_that_is_not_there_is_no_rollout(settings, images):
    service = EcsService(Clients("eu-central-1"), images, "other", parameters(settings))
    trouble = service.promote("1.eu-central-1/noria@sha256:" + "0" * 64)
    assert trouble is not None
    assert trouble.kind == "missing"
    assert service.describe().phase == "absent"


def test_alarms_that_ring_are_seen_by_their_names(aws, settings, images):
    images.make_repository()
    service = EcsService(Clients("eu-central-1"), images, "ringing", parameters(settings))
    assert service.promote(images.by_tag(put(aws, "1.2-ddd"))) is None
    cloudwatch = aws("cloudwatch")
    for name in ("ringing-rollout-errors", "ringing-unhealthy", "desk-rollout-errors"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1,
            ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    assert service.describe().alarms == ("ringing-rollout-errors",)


# --- What moto does not show: stubs of botocore, which hold requests against the models of AWS ------------------------

REASON = (
    "Resource handler returned message: Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'"
)


def stubbed(settings: EcsSettings, status: str, *, more: str = "") -> tuple[EcsService, dict[str, Stubber]]:
    clients = Clients("eu-central-1")
    stubs = {name: Stubber(clients[name]) for name in ("cloudformation", "ecs", "cloudwatch")}
    stack = {
        "StackName": "desk", "StackStatus": status, "CreationTime": 0, "StackId": "arn:stack",
        "Parameters": [{"ParameterKey": "Image", "ParameterValue": "r@sha256:2"}],
        "Outputs": [{"OutputKey": "ClusterName", "OutputValue": "c"}, {"OutputKey": "ServiceName", "OutputValue": "s"}],
    }  # fmt: skip
    stubs["cloudformation"].add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "desk"})
    for stub in stubs.values():
        stub.activate()
    return EcsService(clients, Images(clients, "noria"), "desk", parameters(settings)), stubs


def with_service(stubs: dict[str, Stubber], failed: int) -> None:
    primary = {
        "status": "PRIMARY",
        "failedTasks": failed,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": "in progress",
    }
    stubs["ecs"].add_response("describe_services", {"services": [{"deployments": [primary], "events": []}]})
    stubs["cloudwatch"].add_response("describe_alarms", {"MetricAlarms": []})


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("UPDATE_IN_PROGRESS", "moving"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "moving"),
        ("UPDATE_COMPLETE", "steady"),
        ("UPDATE_ROLLBACK_COMPLETE", "steady"),
    ],
)
def test_a_status_of_the_stack_is_a_phase(aws, settings, status, phase):
    service, stubs = stubbed(settings, status)
    with_service(stubs, failed=2)
    seen = service.describe()
    assert (seen.phase, seen.version, seen.failed) == (phase, "r@sha256:2", 2)
    assert seen.detail == f"{status}; in progress"


@pytest.mark.parametrize(
    ("status", "phase"), [("UPDATE_ROLLBACK_IN_PROGRESS", "returning"), ("UPDATE_ROLLBACK_FAILED", "stuck")]
)
def test_the_first_failure_of_this_change_is_told(aws, settings, status, phase):
    service, stubs = stubbed(settings, status)
    with_service(stubs, failed=0)

    def event(resource: str, state: str, reason: str, physical: str = "x") -> dict[str, Any]:
        return {
            "StackId": "arn:stack", "EventId": "1", "StackName": "desk", "Timestamp": 0, "LogicalResourceId": resource,
            "ResourceStatus": state, "ResourceStatusReason": reason, "PhysicalResourceId": physical,
        }  # fmt: skip

    events = [
        event("Scaling", "UPDATE_FAILED", "cancelled"),
        event("Service", "UPDATE_FAILED", REASON),
        event("desk", "UPDATE_IN_PROGRESS", "User Initiated", "arn:stack"),
        event("Logs", "CREATE_FAILED", "of long ago"),
    ]
    stubs["cloudformation"].add_response("describe_stack_events", {"StackEvents": events})
    # the events are asked for before the service in no case, so the order of the stubs is that of the calls
    seen = service.describe()
    assert seen.phase == phase
    assert f"Service: {REASON}" in seen.detail


def test_a_stack_that_failed_at_its_first_start_takes_no_change(aws, settings):
    service, stubs = stubbed(settings, "ROLLBACK_COMPLETE")
    stubs["cloudformation"].add_response("describe_stack_events", {"StackEvents": []})
    stubs["cloudwatch"].add_response("describe_alarms", {"MetricAlarms": []})
    assert service.describe().phase == "broken"


@pytest.mark.parametrize(
    ("status", "call"),
    [
        ("UPDATE_IN_PROGRESS", "cancel_update_stack"),
        ("UPDATE_ROLLBACK_FAILED", "continue_update_rollback"),
        ("UPDATE_FAILED", "rollback_stack"),
    ],
)
def test_the_way_back_is_the_one_that_the_status_allows(aws, settings, status, call):
    service, stubs = stubbed(settings, status)
    stubs["cloudformation"].add_response(call, {}, {"StackName": "desk"})
    assert service.roll_back("r@sha256:1") is None
    stubs["cloudformation"].assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("Throttling", "Rate exceeded", "throttled"),
        ("AccessDenied", "not authorized to perform: cloudformation:DescribeStacks", "denied"),
        ("ExpiredToken", "expired", "denied"),
        ("ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.", "busy"),
        ("ValidationError", "Parameters: [Vpc] must have values", "refused"),
        ("ServiceUnavailable", "", "unreachable"),
        ("RepositoryNotFoundException", "", "missing"),
    ],
)
def test_an_error_of_aws_is_a_trouble_of_its_kind(aws, settings, code, message, kind):
    clients = Clients("eu-central-1")
    with Stubber(clients["cloudformation"]) as stub:
        stub.add_client_error("describe_stacks", code, message)
        service = EcsService(clients, Images(clients, "noria"), "desk", parameters(settings))
        seen = service.describe()
    assert seen.phase == "unseen"
    assert seen.trouble is not None
    assert seen.trouble.kind == kind
    assert message in seen.trouble.message
    assert seen.trouble.passes == (kind in {"throttled", "busy", "unreachable"})


def test_an_error_without_an_answer_has_a_kind_too():
    kinds = [trouble_of(e) for e in (NoCredentialsError(), ConnectTimeoutError(endpoint_url="https://x"))]
    assert [k.kind for k in kinds if k] == ["denied", "unreachable"]
    refused = trouble_of(ParamValidationError(report="Unknown parameter"))
    assert refused is not None
    assert refused.kind == "refused"
    assert trouble_of(ValueError("ours")) is None
    told = trouble_of(ClientError({"ResponseMetadata": {"HTTPStatusCode": 502}}, "Do"))
    assert told is not None
    assert told.kind == "unreachable"


def test_settings_that_are_missing_are_all_named():
    with pytest.raises(UsageError, match=r"(?s)vpc = .*bucket = "):
        parameters(EcsSettings(task_subnets=["a"]))


def test_settings_that_contradict_each_other_are_refused():
    good = {
        "vpc": "v",
        "task_subnets": ["a"],
        "load_balancer_subnets": ["a", "b"],
        "journal_secret": "s",
        "bucket": "b",
    }
    with pytest.raises(UsageError, match="min_tasks = 5 is more than max_tasks = 4"):
        parameters(EcsSettings(**good, min_tasks=5))
    with pytest.raises(UsageError, match="needs certificate"):
        parameters(EcsSettings(**good, scheme="internet-facing"))
    with pytest.raises(UsageError, match="two subnets"):
        parameters(EcsSettings(**{**good, "load_balancer_subnets": ["a"]}))
