"""`python -m lm.gradient_flow FOLDER... --html FILE`: see `lm.flow_plugin.export`."""

from lm.flow_plugin.export import main

if __name__ == "__main__":
    main()
