"""Runs the loop on schedule, one process at a time, each job durable: what was killed goes on where it was."""

from noria.app.worker.durable import Durable, JobState, latest_jobs
from noria.app.worker.holding import LEASE, Holding, NotAlone, owner_name
from noria.app.worker.jobs import TURN, job_id, kinds, resume_then_turn
from noria.app.worker.schedule import Schedule, check_cron
from noria.app.worker.working import work

__all__ = [
    "LEASE",
    "TURN",
    "Durable",
    "Holding",
    "JobState",
    "NotAlone",
    "Schedule",
    "check_cron",
    "job_id",
    "kinds",
    "latest_jobs",
    "owner_name",
    "resume_then_turn",
    "work",
]
