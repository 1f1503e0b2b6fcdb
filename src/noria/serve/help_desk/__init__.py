"""The exchange with help desks: hand-overs go out as tickets, what becomes of tickets comes back as feedback."""

from noria.serve.help_desk.articles import pull_articles
from noria.serve.help_desk.backlog import file_items
from noria.serve.help_desk.delivering import deliver
from noria.serve.help_desk.following import follow
from noria.serve.help_desk.policy import AccountDesk, ExchangePolicy
from noria.serve.help_desk.ticket import ticket_of

__all__ = ["AccountDesk", "ExchangePolicy", "deliver", "file_items", "follow", "pull_articles", "ticket_of"]
