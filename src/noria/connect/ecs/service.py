"""The service: a CloudFormation stack, and how it stands in the words of the port."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noria.connect.ecs.client import Clients, told, trouble_of
from noria.connect.ecs.images import Images
from noria.errors import OutsideError
from noria.ports.deployer import Phase, Seen, Trouble

TEMPLATE = Path(__file__).with_name("service.yaml")
_PHASES: dict[str, Phase] = {
    "CREATE_COMPLETE": "steady",
    "UPDATE_COMPLETE": "steady",
    "UPDATE_ROLLBACK_COMPLETE": "steady",
    "CREATE_IN_PROGRESS": "moving",
    "UPDATE_IN_PROGRESS": "moving",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "moving",
    "ROLLBACK_IN_PROGRESS": "returning",
    "UPDATE_ROLLBACK_IN_PROGRESS": "returning",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "returning",
    "UPDATE_ROLLBACK_FAILED": "stuck",
    "UPDATE_FAILED": "stuck",
    # made for a change set that was never carried out
    "REVIEW_IN_PROGRESS": "absent",
    "DELETE_COMPLETE": "absent",
}
"""Every other status of a stack is `broken`: it takes no change until it is deleted."""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a plan changes. action: Add, Modify, Remove, ...; replacement: True, False, Conditional, ""."""

    action: str
    resource: str
    kind: str
    replacement: str


class EcsService:
    """A stack of `service.yaml`; see `noria.ports.deployer.Deployer`.

    Args:
        clients: of the region.
        images: where the images are.
        stack: name of the stack.
        parameters: of the template, all but Image.
    """

    def __init__(self, clients: Clients, images: Images, stack: str, parameters: Mapping[str, str]) -> None:
        self._clients, self._images, self._stack = clients, images, stack
        self._parameters = dict(parameters)

    # --- What a rollout asks ------------------------------------------------------------------------------------------

    def describe(self) -> Seen:
        """How the service stands; a trouble is told in what is seen."""
        try:
            return self._describe()
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None:
                raise
            return Seen("unseen", trouble=trouble)

    def promote(self, to: str) -> Trouble | None:
        """Orders the service with an image by its digest; makes the stack where there is none."""
        return self._tried(lambda: self._promote(to))

    def roll_back(self, to: str | None) -> Trouble | None:
        """Orders the way back: ends the update that goes on, frees one that is stuck, or updates to the image."""
        return self._tried(lambda: self._roll_back(to))

    # --- What a person asks -------------------------------------------------------------------------------------------

    def outputs(self) -> dict[str, str]:
        """What the stack tells: Address, ClusterName, ServiceName, LogGroup, TaskSecurityGroup."""
        with told():
            return _outputs(self._stack_now())

    def tasks(self) -> tuple[int, int]:
        """(running, desired) tasks."""
        with told():
            service = self._service(self._stack_now())
        return (0, 0) if service is None else (service["runningCount"], service["desiredCount"])

    def plan(self, image: str) -> list[Change]:
        """What a rollout would change, by a change set that is deleted again; of a new stack: every resource."""
        with told():
            new = self._stack_now() is None
            name = f"plan-{uuid.uuid4().hex[:12]}"
            cloudformation = self._clients["cloudformation"]
            cloudformation.create_change_set(
                ChangeSetName=name, ChangeSetType="CREATE" if new else "UPDATE", **self._request(image)
            )
            try:
                return self._changes(name)
            finally:
                cloudformation.delete_change_set(StackName=self._stack, ChangeSetName=name)
                if new:  # the change set made an empty stack
                    cloudformation.delete_stack(StackName=self._stack)

    # ------------------------------------------------------------------------------------------------------------------

    def _describe(self) -> Seen:
        stack = self._stack_now()
        if stack is None:
            return Seen("absent")
        status = str(stack["StackStatus"])
        phase = _PHASES.get(status, "broken")
        if phase == "absent":
            return Seen("absent")
        version = {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", ())}.get("Image", "")
        service = self._service(stack) if phase != "broken" else None
        failed, why = 0, ""
        if service is not None:
            deployments = [d for d in service.get("deployments", ()) if d.get("status") == "PRIMARY"]
            primary: Mapping[str, Any] = deployments[0] if deployments else {}
            failed, why = int(primary.get("failedTasks", 0)), str(primary.get("rolloutStateReason", ""))
        detail = "; ".join(filter(None, (status, self._first_failure(phase), why)))
        return Seen(phase, version, self._ringing(), failed, detail)

    def _promote(self, to: str) -> None:
        if not self._images.has(to):
            raise _Missing(to)
        cloudformation = self._clients["cloudformation"]
        if self._stack_now() is None:
            # what a failed start leaves is kept, so that one can see why
            cloudformation.create_stack(OnFailure="ROLLBACK", **self._request(to))
            return
        self._update(self._request(to))

    def _roll_back(self, to: str | None) -> None:
        cloudformation, stack = self._clients["cloudformation"], self._stack_now() or {}
        status = stack.get("StackStatus", "")
        if status == "UPDATE_IN_PROGRESS" and to is not None:
            cloudformation.cancel_update_stack(StackName=self._stack)
        elif status == "UPDATE_ROLLBACK_FAILED":
            cloudformation.continue_update_rollback(StackName=self._stack)
        elif status == "UPDATE_FAILED":
            cloudformation.rollback_stack(StackName=self._stack)
        elif to is not None:
            kept = [p["ParameterKey"] for p in stack.get("Parameters", ()) if p["ParameterKey"] != "Image"]
            parameters: list[dict[str, object]] = [{"ParameterKey": k, "UsePreviousValue": True} for k in kept]
            parameters.append({"ParameterKey": "Image", "ParameterValue": to})
            self._update(
                {
                    "StackName": self._stack,
                    "UsePreviousTemplate": True,
                    "Capabilities": ["CAPABILITY_IAM"],
                    "Parameters": parameters,
                }
            )

    def _tried(self, order: Any) -> Trouble | None:
        try:
            order()
        except _Missing as missing:
            return Trouble("missing", f"there is no image {missing}")
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None:
                raise
            return trouble
        return None

    def _update(self, request: Mapping[str, Any]) -> None:
        cloudformation = self._clients["cloudformation"]
        try:
            cloudformation.update_stack(**request)
        except cloudformation.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise

    def _request(self, image: str) -> dict[str, Any]:
        values = {**self._parameters, "Image": image}
        return {
            "StackName": self._stack,
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in sorted(values.items())],
            "Tags": [{"Key": "noria", "Value": self._stack}],
        }

    def _stack_now(self) -> Any | None:
        cloudformation = self._clients["cloudformation"]
        try:
            return cloudformation.describe_stacks(StackName=self._stack)["Stacks"][0]
        except cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def _service(self, stack: Any | None) -> Any | None:
        outputs = _outputs(stack)
        if "ServiceName" not in outputs:
            return None
        named = {"cluster": outputs["ClusterName"], "services": [outputs["ServiceName"]]}
        return next(iter(self._clients["ecs"].describe_services(**named)["services"]), None)

    def _ringing(self) -> tuple[str, ...]:
        asked = {"AlarmNamePrefix": f"{self._stack}-rollout-", "StateValue": "ALARM"}
        alarms = self._clients["cloudwatch"].describe_alarms(**asked)["MetricAlarms"]
        return tuple(sorted(alarm["AlarmName"] for alarm in alarms))

    def _first_failure(self, phase: Phase) -> str:
        """The first resource of this change that failed, and why: what came later follows from it."""
        if phase not in {"returning", "stuck", "broken"}:
            return ""
        events = self._clients["cloudformation"].describe_stack_events(StackName=self._stack)["StackEvents"]
        first = ""
        for event in events:  # the latest first
            if event["ResourceStatus"].endswith("_FAILED"):
                first = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}"
            began = event["ResourceStatus"] in {"UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"}
            if began and event.get("PhysicalResourceId") == event.get("StackId"):
                break
        return first

    def _changes(self, name: str) -> list[Change]:
        from botocore.exceptions import WaiterError

        cloudformation = self._clients["cloudformation"]
        named = {"StackName": self._stack, "ChangeSetName": name}
        try:
            cloudformation.get_waiter("change_set_create_complete").wait(
                **named, WaiterConfig={"Delay": 2, "MaxAttempts": 60}
            )
        except WaiterError:
            told_why = cloudformation.describe_change_set(**named)
            reason = str(told_why.get("StatusReason", ""))
            if "didn't contain changes" in reason or "No updates" in reason:
                return []
            raise OutsideError(
                f"AWS cannot plan the change: {reason or told_why['Status']}.", retry_helps=False
            ) from None
        pages = cloudformation.describe_change_set(**named)["Changes"]
        changes = [page["ResourceChange"] for page in pages]
        return [
            Change(c["Action"], c["LogicalResourceId"], c["ResourceType"], c.get("Replacement", "")) for c in changes
        ]


class _Missing(Exception):
    """An image that is not there."""


def _outputs(stack: Any | None) -> dict[str, str]:
    return {o["OutputKey"]: o["OutputValue"] for o in (stack or {}).get("Outputs", ())}
