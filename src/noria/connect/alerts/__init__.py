"""Ways to tell people of alerts: the log, a webhook, a Slack-style webhook, mail."""

from noria.connect.alerts.mail import Mail
from noria.connect.alerts.posting import LogChannel, SlackWebhook, Webhook

__all__ = ["LogChannel", "Mail", "SlackWebhook", "Webhook"]
