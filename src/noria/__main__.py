"""`python -m noria`."""

from noria.app.cli import main

main()
