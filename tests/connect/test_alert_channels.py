"""Channels hand alerts over to real servers on this machine, and say so when nobody takes them."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socketserver
import threading
from dataclasses import replace
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from noria.connect.alerts import LogChannel, Mail, SlackWebhook, Webhook
from noria.errors import OutsideError
from noria.records.findings import Alert, Notice

SENTENCES = ("Success fell by 12 points.", "Intent <vpn> & more: from 88 % to 31 %.")
NOTICE = Notice(
    Alert("success-1", "high", "open", ("success-1",), SENTENCES[0], 5, 6), f"[high] {SENTENCES[0]}", SENTENCES,
    "https://va.example.com/findings/success-1", 1_767_571_200_000,
)  # fmt: skip


@pytest.fixture
def posted():
    """(address, what was posted there, a box for the status to answer)."""
    got, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got, status
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox():
    """(host:port, letters): a mail server that takes everything but letters to nobody@."""
    letters = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().strip():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    letters.append(message_from_bytes(body))
                refused = word == b"RCPT" and b"nobody@" in line
                if word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"550 unknown\r\n" if refused else b"250 fine\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", letters
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_the_whole_alert_signed(posted):
    address, got, _ = posted
    Webhook(address, "a secret").tell(NOTICE)
    headers, body = got[0]
    told = json.loads(body)
    assert (told["id"], told["severity"], told["sentences"]) == ("success-1/open/high", "high", list(SENTENCES))
    assert headers["X-Noria-Signature"] == f"sha256={hmac.new(b'a secret', body, hashlib.sha256).hexdigest()}"
    Webhook(address).tell(NOTICE)
    assert "X-Noria-Signature" not in got[1][0]


def test_slack_gets_text_and_blocks_without_markup_of_ours(posted):
    address, got, _ = posted
    SlackWebhook(address).tell(NOTICE)
    told = json.loads(got[0][1])
    assert told["text"] == f"[high] {SENTENCES[0]}"
    text = told["blocks"][0]["text"]["text"]
    assert "Intent &lt;vpn&gt; &amp; more" in text
    assert "<https://va.example.com/findings/success-1|Look at it>" in text


@pytest.mark.parametrize("kind", [Webhook, SlackWebhook])
@pytest.mark.parametrize(("status", "helps"), [(500, True), (429, True), (404, False)])
def test_who_does_not_take_it_is_an_outside_error_that_shows_no_address(posted, kind, status, helps):
    address, _, answer = posted
    answer[0] = status
    with pytest.raises(OutsideError, match=str(status)) as error:
        kind(address).tell(NOTICE)
    assert error.value.retry_helps == helps
    assert address not in str(error.value)


def test_nobody_at_the_address_is_an_outside_error():
    with pytest.raises(OutsideError, match="cannot be reached"):
        Webhook("http://127.0.0.1:1/hook").tell(NOTICE)
    with pytest.raises(OutsideError, match="did not take"):
        Mail("127.0.0.1:1", "noria@example.com", ("ann@example.com",)).tell(NOTICE)


def test_a_letter_reaches_everybody_as_plain_text(mailbox):
    server, letters = mailbox
    Mail(server, "noria@example.com", ("ann@example.com", "bob@example.com")).tell(NOTICE)
    (letter,) = letters
    assert letter["Subject"] == f"[high] {SENTENCES[0]}"
    assert letter["To"] == "ann@example.com, bob@example.com"
    assert letter["Date"].startswith("Mon, 05 Jan 2026")
    text = letter.get_payload(decode=True).decode()
    assert SENTENCES[1] in text
    assert NOTICE.link in text


def test_a_long_alert_keeps_its_link_and_whole_words(posted, mailbox):
    address, got, _ = posted
    long = replace(NOTICE, subject="[high] " + "word " * 60, sentences=(SENTENCES[0], *["<slice> " * 40] * 20))
    SlackWebhook(address).tell(long)
    text = json.loads(got[0][1])["blocks"][0]["text"]["text"]
    assert len(text) <= 3000
    assert text.endswith(f"&lt;slice&gt; \n…\n<{NOTICE.link}|Look at it>")
    server, letters = mailbox
    Mail(server, "noria@example.com", ("ann@example.com",)).tell(long)
    assert letters[0]["Subject"].endswith(" word ...")


def test_a_password_is_never_sent_in_the_open(mailbox):
    server, letters = mailbox
    with pytest.raises(OutsideError, match="SMTPNotSupportedError"):
        Mail(server, "noria@example.com", ("ann@example.com",), "noria", "secret").tell(NOTICE)
    assert letters == []


def test_a_refused_recipient_is_told(mailbox):
    with pytest.raises(OutsideError, match="SMTPRecipientsRefused") as error:
        Mail(mailbox[0], "noria@example.com", ("nobody@example.com",)).tell(NOTICE)
    assert not error.value.retry_helps


def test_the_log_has_one_line_by_severity(caplog):
    caplog.set_level(logging.INFO, "noria.alerts")
    LogChannel().tell(NOTICE)
    assert [(r.levelname, r.name) for r in caplog.records] == [("ERROR", "noria.alerts")]
    assert SENTENCES[0] in caplog.text
