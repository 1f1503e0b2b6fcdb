"""Images in ECR: the repository, its address, a password for pushing, and which image a tag names."""

from __future__ import annotations

import base64
import json
from typing import Any

from noria.connect.ecs.client import Clients, told
from noria.errors import NotFound

KEEP_IMAGES = 30
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"keep the last {KEEP_IMAGES}",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEEP_IMAGES},
            "action": {"type": "expire"},
        }
    ]
}


class Images:
    """The images of one repository."""

    def __init__(self, clients: Clients, repository: str) -> None:
        self._ecr, self._name = clients["ecr"], repository

    def make_repository(self) -> tuple[str, bool]:
        """(address, whether it was made now): tags that cannot be moved, scanned on push, old images expire."""
        with told():
            known = self._repository()
            if known is not None:
                return str(known["repositoryUri"]), False
            made = self._ecr.create_repository(
                repositoryName=self._name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration={"encryptionType": "AES256"},
            )["repository"]
            self._ecr.put_lifecycle_policy(repositoryName=self._name, lifecyclePolicyText=json.dumps(_LIFECYCLE))
        return str(made["repositoryUri"]), True

    def password(self) -> tuple[str, str]:
        """(user, password) for pushing, good for twelve hours."""
        with told():
            token = self._ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode().partition(":")
        return user, password

    def by_tag(self, tag: str) -> str:
        """The address by digest of the image of a tag.

        Raises:
            NotFound: no such repository or tag.
        """
        with told():
            repository = self._repository()
            if repository is None:
                raise NotFound("ECR repository", self._name, (), "'noria deploy ecs push' makes it.")
            known = {tag: image for image in self._images() for tag in image.get("imageTags", ())}
        if tag not in known:
            raise NotFound("image tag", tag, known, "'noria deploy ecs push' puts one there.")
        return f"{repository['repositoryUri']}@{known[tag]['imageDigest']}"

    def tag_of(self, image: str) -> str:
        """The tag of an image, for people; its short digest where it has none."""
        digest = image.rpartition("@")[2]
        with told():
            found = [t for i in self._images() if i["imageDigest"] == digest for t in i.get("imageTags", ())]
        return found[0] if found else digest[:19]

    def has(self, image: str) -> bool:
        """Whether an image is there; raises what boto3 raises."""
        digest = image.rpartition("@")[2]
        if self._repository() is None:
            return False
        return any(found["imageDigest"] == digest for found in self._images())

    def _repository(self) -> Any | None:
        try:
            return self._ecr.describe_repositories(repositoryNames=[self._name])["repositories"][0]
        except self._ecr.exceptions.RepositoryNotFoundException:
            return None

    def _images(self) -> list[Any]:
        pages = self._ecr.get_paginator("describe_images").paginate(repositoryName=self._name)
        return [image for page in pages for image in page["imageDetails"]]
