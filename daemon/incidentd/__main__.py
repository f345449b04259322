"""`python -m incidentd` is the command `incidentd`."""

from incidentd.cli import main

if __name__ == "__main__":
    main(prog_name="incidentd")
