"""`python -m cli` is `./latchkey` under whatever Python runs it."""

from cli.main import latchkey

latchkey(prog_name="./latchkey")
