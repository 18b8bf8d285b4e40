"""What brings Latchkey into an AWS account and takes it out again, and never ships.

Here are stages, packages, bundles and their byte code, templates, what API Gateway answers by itself, the register of
other APIs and how they attach the guard, and the address of the local run's state. Not here: commands (`cli`), and what
runs on a developer's machine (`local`).
"""
