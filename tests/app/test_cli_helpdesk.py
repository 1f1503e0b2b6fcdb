"""The fake Freshservice as a user starts it: in a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from noria.connect.freshservice import FreshserviceClient, FreshserviceDesk
from noria.ports.help_desk import NewTicket


def test_a_fake_freshservice_serves_the_connector():
    command = [sys.executable, "-u", "-m", "noria", "fake", "freshservice", "--port", "0", "--tickets", "20"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        client = FreshserviceClient(found.group(), "fake")
        desk = FreshserviceDesk(client)
        assert sum(len(batch.rows) for batch in desk.pull("tickets")) == 20
        number = desk.create(NewTicket("noria-1", "Help", "text", "ada@made-up.example"))
        assert desk.progress(number).status == "open"
        assert set(desk.check().values()) == {"can be read"}
        client.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()
