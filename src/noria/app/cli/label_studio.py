"""`noria label-studio`: up, down, status, sync."""

from __future__ import annotations

import click

from noria.app.cli.context import home_options, home_path, opened, plain, show


@click.group(name="label-studio")
def label_studio() -> None:
    """Run a Label Studio as the label desk ([label] desk = "label_studio")."""


@label_studio.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Default: [label_studio] port of the settings.")
@home_options
@click.pass_context
def up(ctx: click.Context, port: int | None, home: str | None, as_json: bool) -> None:
    """Install it where that was not done yet, and start it on this machine; silent towards the outside."""
    import os

    from noria.app.home import open_home
    from noria.app.label_studio.environment import environment_folder, install
    from noria.app.label_studio.server import own_server

    place = open_home(home_path(ctx, home))

    def say(sentence: str) -> None:
        click.echo(sentence, err=True)

    install(environment_folder(os.environ), say)
    server = own_server(place)
    running = server.up(port or place.settings.label_studio.port, say)
    invitation = server.invitation(running)
    text = f"Label Studio runs at {running.url} (process {running.pid}).\nPeople join at {invitation}"
    show({"url": running.url, "pid": running.pid, "invitation": invitation}, as_json=as_json, text=text)


@label_studio.command()
@home_options
@click.pass_context
def down(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Stop it; what people answered stays."""
    from noria.app.home import open_home
    from noria.app.label_studio.server import own_server

    stopped = own_server(open_home(home_path(ctx, home))).down()
    show({"stopped": stopped}, as_json=as_json, text="Stopped." if stopped else "It did not run.")


@label_studio.command()
@home_options
@click.pass_context
def status(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Show the server, what is open there, and the answers that do not count."""
    from noria.app.wiring import label_studio_desk

    with opened(ctx, home) as (place, stores):
        desk = label_studio_desk(place, stores)
        version, at, report = desk.check(), desk.status(), desk.report()
    lines = [
        f"Label Studio {version}, project {report.project or 'not made yet'}.",
        f"{at.open} tasks open, {at.labelled} labelled, {report.waiting} wait to be sent.",
        *report.warnings,
        *(
            f"  task {f.label_studio_task}, answer {f.annotation_id} of {f.annotator}: {f.reason}"
            for f in report.faults
        ),
    ]
    show({"version": version, "status": at, "report": plain(report)}, as_json=as_json, text="\n".join(lines))


@label_studio.command()
@home_options
@click.pass_context
def sync(ctx: click.Context, home: str | None, as_json: bool) -> None:
    """Send what waits and fetch what people answered."""
    from noria.app.wiring import label_studio_desk
    from noria.label import gather

    with opened(ctx, home) as (place, stores):
        desk = label_studio_desk(place, stores)
        receipt = gather(stores, desk)
        report = desk.report()
    counts = receipt.counts
    lines = [f"{counts['new']:.0f} new labels, {counts['open']:.0f} tasks open.", *report.warnings]
    show({"receipt": receipt, "report": report}, as_json=as_json, text="\n".join(lines))
