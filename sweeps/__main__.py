"""`python -m sweeps COMMAND`: as the console script `sweeps`; see `sweeps.cli.main`."""

from sweeps.cli.main import main

if __name__ == "__main__":
    main()
