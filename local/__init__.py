"""What runs on a developer's machine and never ships: `make serve`, its gateway and workers, the embedded AWS, demo data.

`cloud` is here too, though it deploys: what it deploys into is the embedded AWS. Not here: deploying into an account
(`deploy`), and commands on a stage or on the run (`cli`).
"""
