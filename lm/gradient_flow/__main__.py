"""`python -m lm.gradient_flow FOLDER... --html FILE`: see `lm.gradient_flow.plugin.export`."""

from lm.gradient_flow.plugin.export import main

if __name__ == "__main__":
    main()
