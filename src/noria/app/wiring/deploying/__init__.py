"""The service on Amazon ECS of a home's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.app.deploying.parameters import parameters
from noria.app.home import Home

if TYPE_CHECKING:
    from noria.connect.ecs import EcsService, Images


def open_images(home: Home) -> Images:
    """The images of the home's repository.

    Raises:
        UsageError: boto3 is missing, or no region is known.
    """
    from noria.connect.ecs import Images
    from noria.connect.ecs.client import Clients

    ecs = home.settings.ecs
    return Images(Clients(ecs.region), ecs.repository)


def open_ecs(home: Home) -> tuple[EcsService, Images]:
    """The home's service and its images.

    Raises:
        UsageError: as `open_images`; or a setting is missing.
    """
    from noria.connect.ecs import EcsService, Images
    from noria.connect.ecs.client import Clients

    ecs = home.settings.ecs
    given, clients = parameters(ecs), Clients(ecs.region)
    images = Images(clients, ecs.repository)
    return EcsService(clients, images, ecs.stack, given), images
