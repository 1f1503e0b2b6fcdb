"""What `noria init` writes as `noria.toml`."""

TEMPLATE = """\
# Settings of a Noria home. Every key may be left out; these are the defaults.

[agent]
# any key of the recipe, e.g.
# max_false_rejects = 0.04

[encoder]
# spec = "minilm"            # what makes vectors of texts (docs/encoders.md); "none": n-grams alone

[label]
# daily_budget = 40          # label tasks a day
# settling_share = 0.6       # share of the answers that settles a task; below it a person decides
# weigh_annotators = false   # true: votes weigh by the accuracy that people show on tasks they share
# cost_per_label = 0.0       # what one label costs, in your currency
# desk = "label_studio"      # where people label; default "builtin": the page /label of this server

[label_studio]
# url = "https://label-studio.example.com"   # token in NORIA_LABEL_STUDIO_TOKEN; default: 'noria label-studio up'
# port = 8430
# database = "postgresql://user@host:5432/name"   # of the server that 'up' starts; default: SQLite in the home

[monitor]
# false_alarms_a_year = 2.0  # of all metrics, slices and streams together, on average at most
# baseline_days = 14         # days from which a reference is taken
# embed_an_hour = 5          # texts of an hour whose vectors are summed in its window
# explain_days = 28          # days before a change, and at most since it, that are compared

[update]
# min_new_labels = 200       # labels that start a retraining
# accept_new_intents = false # true: an intent that labellers name comes into scope by itself
# quick = true               # corrections and new intents by a warm start between full trainings
# full_every_days = 7        # a full training at least so often
# topic_every_days = 1       # how often a turn looks for topics among queries that were not served
# topic_days = 28            # how far back it looks
# topic_size = 5             # like queries that make a topic
# triage_sure = 0.8          # probability from which a cause is named instead of asking for labels
# hours_an_article = 2.0     # what writing one costs, for ranking the backlog

[release]
# margin = 0.02              # the loss on the frozen basket that must be ruled out before a candidate goes live
# fresh_margin = 0.1         # the loss against the anchor that must be ruled out on the latest labels
# require_fresh = false      # true: hold until there are labels enough
# compare_labels = 0         # tasks for a candidate that is held, where it answers unlike what is live
# protected = []             # ["account"]: every account with enough labels must pass alone
# slice_margin = 0.1         # the loss of a protected slice that must be ruled out
# margins = {}               # { "account acme" = 0.05 }: its own margin
# stages = []                # ["shadow", 5, 25, 100]: what passed the gate answers beside, then for so many % of
#                            # the sessions, before it goes live (docs/stages.md)
# stage_unit = "session"     # "account": a canary takes whole accounts
# stage_hours = 24           # in each stage, at least
# stage_margin = 0.05        # the loss on labelled queries that both answered that must be ruled out
# error_margin = 0.005       # share of queries on which the challenger may fail beyond the live release
# latency_ratio = 2.0        # how many times as long its slowest answers may take

[ecs]
# what 'noria deploy ecs' needs to know: docs/deploy.md

[alerts]
# webhook = "https://…"      # gets each alert as JSON; signed where NORIA_ALERT_SECRET is set
# smtp = "mail.example.com:587"   # letters; the password of smtp_user in NORIA_SMTP_PASSWORD
# smtp_user = ""
# mail_from = "noria@example.com"
# mail_to = "ann@example.com, bob@example.com"
# address = "https://va.example.com"   # of these pages, for links; Slack: its webhook in NORIA_SLACK_WEBHOOK
# least_severity = "low"     # info, low, medium, high: nothing below it is told
# quiet_hours = 6            # after an alert only a more severe one is told for so long

[serve]
# host = "127.0.0.1"          # on any other host keys are demanded (noria keys create)
# port = 8420
# workers = 0                # of 'noria deploy local up'; 0 = one for each core
# requests_a_minute = 6000   # of one key; 0 = no limit
# chat_a_minute = 60         # of one chat
# answer_limit_ms = 2000     # an agent with an encoder that takes longer hands over

[worker]                     # noria worker; cron expressions in UTC, "" = never
# turn = "0 3 * * *"         # a whole turn of the loop
# gather = "*/15 * * * *"    # labels come in
# monitor = "5 * * * *"      # looks for changes
# stages = "*/5 * * * *"     # a challenger goes a stage on, or back
# help_desk = "*/5 * * * *"  # hand-overs, tickets and articles of help desks, where there are any
# lease_seconds = 60         # a worker that stands still for longer is taken for dead

[help_desk]
# accounts.acme = { kind = "freshservice", url = "https://acme.freshservice.com", key_env = "ACME_DESK_KEY" }
# accounts.birch = { kind = "files" }   # plain files in help-desk/birch (docs/help-desk.md)
# articles = "it"             # the table that their articles go into; default: that of the live release
# deliver_every_s = 15        # how often the server sends hand-overs; 0 = not by itself
# follow_every_s = 300        # how often it looks what became of tickets
# articles_every_s = 3600     # how often it reads articles

[stores]
# journal = "postgresql+psycopg://…"   # default: SQLite in the home
# tracker = "…"                        # default: MLflow on SQLite in the home
# lake = "s3://bucket/prefix"          # default: the folder lake/ of the home
# blobs = "s3://bucket/prefix"         # default: the folder blobs/ of the home; credentials: docs/data-lake.md
"""
