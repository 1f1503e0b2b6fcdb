"""Amazon ECS: images in ECR, a service by a CloudFormation template, and how a rollout stands."""

from noria.connect.ecs.images import Images
from noria.connect.ecs.service import EcsService

__all__ = ["EcsService", "Images"]
