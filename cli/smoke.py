"""`python -m cli.smoke`: a few requests to a deployment: is it there, is it ours, are its doors shut?"""

import argparse

from cli import target
from deploy import smoke
from deploy.errors import CannotDeployError, in_one_line


def main() -> None:
    """Ask the deployment that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m cli.smoke", description=__doc__)
    target.add_options(parser)
    asked = parser.parse_args()

    def work() -> None:
        issuer = target.issuer(asked)
        if found := smoke.failures(issuer):
            raise CannotDeployError("\n".join([f"{issuer} does not answer as it should:", *found]))
        print(f"{issuer} answers as it should.")

    in_one_line(work)


if __name__ == "__main__":
    main()
