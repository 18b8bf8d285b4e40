"""`python -m local.smoke`: a few requests to a deployment: is it there, is it ours, are its doors shut?"""

import argparse

from deploy import smoke
from deploy.errors import CannotDeployError, in_one_line
from local import environments


def main() -> None:
    """Ask the deployment that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m local.smoke", description=__doc__)
    environments.add_options(parser)
    asked = parser.parse_args()

    def work() -> None:
        issuer = environments.issuer(asked)
        if found := smoke.failures(issuer):
            raise CannotDeployError("\n".join([f"{issuer} does not answer as it should:", *found]))
        print(f"{issuer} answers as it should.")

    in_one_line(work)


if __name__ == "__main__":
    main()
