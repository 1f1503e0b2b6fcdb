"""[ecs] of `noria.toml` as the parameters of the CloudFormation template."""

from __future__ import annotations

from noria.app.settings import EcsSettings
from noria.errors import UsageError

_NEEDED = {
    "vpc": 'vpc = "vpc-…"',
    "task_subnets": 'task_subnets = ["subnet-…", "subnet-…"]',
    "load_balancer_subnets": 'load_balancer_subnets = ["subnet-…", "subnet-…"]',
    "journal_secret": 'journal_secret = "arn:aws:secretsmanager:…"',
    "bucket": 'bucket = "…"',
}


def parameters(ecs: EcsSettings) -> dict[str, str]:
    """Every parameter of the template but Image; its own rules are checked by CloudFormation.

    Raises:
        UsageError: naming all settings that are missing, or a contradiction.
    """
    missing = [line for name, line in _NEEDED.items() if not getattr(ecs, name)]
    if missing:
        raise UsageError("[ecs] of noria.toml lacks:\n  " + "\n  ".join(missing) + "\nsee docs/deploy.md.")
    if len(ecs.load_balancer_subnets) < 2:
        raise UsageError("[ecs]: load_balancer_subnets needs two subnets at least, in different availability zones.")
    if ecs.min_tasks > ecs.max_tasks:
        raise UsageError(f"[ecs]: min_tasks = {ecs.min_tasks} is more than max_tasks = {ecs.max_tasks}.")
    if ecs.scheme == "internet-facing" and not ecs.certificate:
        raise UsageError("[ecs]: a load balancer that faces the internet needs certificate, the ARN of one for HTTPS.")
    return {
        "Vpc": ecs.vpc,
        "TaskSubnets": ",".join(ecs.task_subnets),
        "LoadBalancerSubnets": ",".join(ecs.load_balancer_subnets),
        "Scheme": ecs.scheme,
        "AllowedCidr": ecs.allowed_cidr,
        "Certificate": ecs.certificate,
        "Repository": ecs.repository,
        "JournalSecret": ecs.journal_secret,
        "Bucket": ecs.bucket,
        "Prefix": ecs.prefix,
        "Size": ecs.size,
        "Architecture": ecs.architecture,
        "MinTasks": str(ecs.min_tasks),
        "MaxTasks": str(ecs.max_tasks),
        "Spot": "yes" if ecs.spot else "no",
        "PublicIp": "ENABLED" if ecs.public_ip else "DISABLED",
        "LogDays": str(ecs.log_days),
        "ContainerInsights": "enabled" if ecs.container_insights else "disabled",
        "AlarmTopic": ecs.alarm_topic,
    }
