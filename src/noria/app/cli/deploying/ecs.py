"""`noria deploy ecs`: plan, push, apply, status, rollback."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.app.cli.context import actor, home_options, home_path, opened, show, table
from noria.errors import StateError

if TYPE_CHECKING:
    from noria.app.home import Home
    from noria.ports.deployer import Deployer, Seen
    from noria.release.deploying.states import Action


_bake = click.option(
    "--bake", type=click.FloatRange(0), default=5, show_default=True, help="Minutes to stay without an alarm."
)


@click.group()
def ecs() -> None:
    """A service on Amazon ECS; needs 'noria[ecs]' and credentials of AWS (docs/deploy.md)."""


@ecs.command()
@click.option("--source", default=".", show_default=True, metavar="FOLDER", help="Checkout with the Dockerfile.")
@click.option("--tag", help="Name of the image; default: version and hash of the code.")
@click.option("--builder", default="docker", show_default=True, help="Or a program with the same commands: podman.")
@home_options
@click.pass_context
def push(ctx: click.Context, source: str, tag: str | None, builder: str, home: str | None, as_json: bool) -> None:
    """Build the image and send it to ECR; the repository is made where there is none."""
    from noria.app.deploying import pushing
    from noria.app.wiring.deploying import open_images

    place = _home(ctx, home)
    images, tag = open_images(place), tag or _tag()
    address, made = images.make_repository()
    tell = _quiet if as_json else click.echo
    if made:
        tell(f"repository {address} was made")
    name = f"{address}:{tag}"
    pushing.build(builder, Path(source).absolute(), name, place.settings.ecs.architecture, tell)
    pushing.push(builder, name, *images.password(), tell)
    image = images.by_tag(tag)
    show({"tag": tag, "image": image}, as_json=as_json, text=f"{tag} is {image}")


@ecs.command()
@click.option("--tag", help="Which image; default: version and hash of the code.")
@home_options
@click.pass_context
def plan(ctx: click.Context, tag: str | None, home: str | None, as_json: bool) -> None:
    """Show what 'apply' would change; changes nothing."""
    from noria.app.wiring.deploying import open_ecs

    service, images = open_ecs(_home(ctx, home))
    image = images.by_tag(tag or _tag())
    changes = service.plan(image)
    rows = [(c.action, c.resource, c.kind, c.replacement) for c in changes]
    text = table(rows, ("ACTION", "RESOURCE", "KIND", "REPLACED")) if rows else "Nothing would change."
    show({"image": image, "changes": changes}, as_json=as_json, text=text)


@ecs.command()
@click.option("--tag", help="Which image; default: version and hash of the code.")
@_bake
@home_options
@click.pass_context
def apply(ctx: click.Context, tag: str | None, bake: float, home: str | None, as_json: bool) -> None:
    """Bring an image live, watch it, and go back where it fails; ends with code 4 unless it is live."""
    from noria.app.wiring.deploying import open_ecs

    place = _home(ctx, home)
    service, images = open_ecs(place)
    named = tag or _tag()
    _carry_out(ctx, home, place, service, images.by_tag(named), named, bake=bake, as_json=as_json)


@ecs.command()
@click.option("--to", "tag", metavar="TAG", help="Default: the image that was live before, by the audit log.")
@_bake
@home_options
@click.pass_context
def rollback(ctx: click.Context, tag: str | None, bake: float, home: str | None, as_json: bool) -> None:
    """Bring an earlier image live again, watched in the same way."""
    from noria.app.deploying.recording import image_before
    from noria.app.wiring.deploying import open_ecs

    place = _home(ctx, home)
    service, images = open_ecs(place)
    if tag is None:
        now = service.describe().version
        with opened(ctx, home) as (_, stores):
            image = image_before(stores.journal, _target(place), now)
        if image is None:
            raise StateError("the audit log knows no image that was live before: name one by --to TAG.")
    else:
        image = images.by_tag(tag)
    _carry_out(ctx, home, place, service, image, images.tag_of(image), bake=bake, as_json=as_json)


@ecs.command()
@home_options
@click.pass_context
def status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show how the service stands: phase, image, tasks, alarms, address."""
    from noria.app.wiring.deploying import open_ecs

    service, images = open_ecs(_home(ctx, home))
    seen = service.describe()
    if seen.trouble is not None:
        raise StateError(f"the service cannot be seen: {seen.trouble.message}.")
    if seen.phase == "absent":
        show({"phase": "absent"}, as_json=as_json, text="There is no service yet: noria deploy ecs apply")
        return
    running, desired = service.tasks()
    outputs, tag = service.outputs(), images.tag_of(seen.version) if seen.version else ""
    lines = [
        f"{seen.phase}: {seen.detail}",
        f"image {tag} ({seen.version})",
        f"{running} of {desired} tasks run; {seen.failed} failed",
        f"alarms: {', '.join(seen.alarms) or 'none'}",
        *(f"{name}: {value}" for name, value in sorted(outputs.items())),
    ]
    result = {"phase": seen.phase, "image": seen.version, "tag": tag, "running": running, "desired": desired}
    result |= {"failed": seen.failed, "alarms": seen.alarms, "detail": seen.detail, "outputs": outputs}
    show(result, as_json=as_json, text="\n".join(lines))


def _carry_out(
    ctx: click.Context,
    home: str | None,
    place: Home,
    service: Deployer,
    image: str,
    tag: str,
    *,
    bake: float,
    as_json: bool,
) -> None:
    from noria.app.deploying.recording import record
    from noria.app.wiring import new_id, now_ms
    from noria.release.deploying.driving import roll_out
    from noria.release.deploying.states import Patience

    tell = _quiet if as_json else click.echo
    told: list[str] = []

    def say(seen: Seen, action: Action) -> None:
        line = f"{seen.phase}{f' ({seen.detail})' if seen.detail else ''} → {type(action).__name__.lower()}"
        if told[-1:] != [line]:
            told.append(line)
            tell(line)

    patience = Patience(bake_ms=round(bake * 60_000))
    with opened(ctx, home) as (_, stores):
        # opened before anything is changed: what happened must be noted
        journal = stores.journal
        end = roll_out(service, image, now_ms=_monotonic_ms, sleep_ms=_sleep_ms, patience=patience, tell=say)
        facts = {"image": image, "tag": tag, "outcome": end.outcome, "reason": end.reason[:1000]}
        record(journal, _target(place), facts, actor=actor(), entry_id=new_id(), time_ms=now_ms())
    if end.outcome != "live":
        raise StateError(f"{tag} is not live ({end.outcome.replace('_', ' ')}): {end.reason}.")
    show(facts, as_json=as_json, text=f"{tag} is live: {end.reason}.")


def _home(ctx: click.Context, home: str | None) -> Home:
    from noria.app.home import open_home

    return open_home(home_path(ctx, home))


def _target(place: Home) -> str:
    return f"ecs:{place.settings.ecs.stack}"


def _tag() -> str:
    from noria.app.wiring import code_facts

    facts = code_facts()
    return f"{facts['version']}-{facts['sha256'][:12]}"


def _quiet(_: object) -> None:
    """With --json nothing but the document is printed."""


def _monotonic_ms() -> int:
    return int(time.monotonic() * 1000)


def _sleep_ms(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)
