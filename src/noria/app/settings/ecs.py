"""The section [ecs] of `noria.toml`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EcsSettings:
    """Where and how large the service on Amazon ECS is; what each means stands in docs/deploy.md.

    region: empty = that of the standard chain of AWS. log_days, min_tasks, max_tasks: counts.
    """

    stack: str = "noria"
    repository: str = "noria"
    region: str = ""
    vpc: str = ""
    task_subnets: list[str] = field(default_factory=list)
    load_balancer_subnets: list[str] = field(default_factory=list)
    scheme: str = "internal"
    allowed_cidr: str = "10.0.0.0/8"
    certificate: str = ""
    journal_secret: str = ""
    bucket: str = ""
    prefix: str = "noria"
    size: str = "medium"
    architecture: str = "X86_64"
    min_tasks: int = 2
    max_tasks: int = 4
    spot: bool = False
    public_ip: bool = False
    log_days: int = 30
    container_insights: bool = False
    alarm_topic: str = ""
