"""`noria deploy`: a process set on this machine, and Amazon ECS."""

from __future__ import annotations

import click

from noria.app.cli.deploying.ecs import ecs
from noria.app.cli.deploying.local import local, worker


@click.group()
def deploy() -> None:
    """Run several workers behind one port on this machine, or as a service on Amazon ECS."""


deploy.add_command(local)
deploy.add_command(ecs)
deploy.add_command(worker)
