"""`sweeps completion SHELL`: a script with which a shell completes the commands and their options.

eval "$(sweeps completion bash)"
"""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module

from sweeps.cli.exit import exit_on_user_error
from sweeps.cli.main import COMMANDS
from sweeps.cli.version import add_version

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_sweeps_complete() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
    if [ "$COMP_CWORD" = 1 ]; then
        words="{commands}"
    elif [ "${{word:0:1}}" = - ]; then
        case "${{COMP_WORDS[1]}}" in
{options}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}
complete -o default -F _sweeps_complete sweeps
"""
_ZSH = """\
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None, command: str = "sweeps completion") -> None:
    """Run the command.

    Args:
      arguments: command-line arguments; None for those of this process.
      command: name of the command in its help.
    """
    shell = make_parser(command).parse_args(arguments).shell
    print(script(shell, {name: options_of(name) for name in COMMANDS}), end="")


def make_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog=command,
        description="Print a script with which a shell completes the commands of sweeps and their "
        'options; for bash: eval "$(sweeps completion bash)"',
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    add_version(parser)
    return parser


def options_of(name: str) -> list[str]:
    """Return the long options of a command."""
    parser: argparse.ArgumentParser = import_module(COMMANDS[name].module).make_parser(name)
    return [
        option
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    ]


def script(shell: str, options: Mapping[str, Sequence[str]]) -> str:
    """Return the script for a shell.

    Args:
      shell: one of `SHELLS`.
      options: the long options of each command.
    """
    if shell == "fish":
        return "\n".join([*_fish_lines(options), ""])
    lines = [f'            {name}) words="{" ".join(words)}" ;;' for name, words in options.items()]
    text = _BASH.format(commands=" ".join(options), options="\n".join(lines))
    return _ZSH + text if shell == "zsh" else text


def _fish_lines(options: Mapping[str, Sequence[str]]) -> list[str]:
    lines = []
    for name, words in options.items():
        about = COMMANDS[name].about
        lines.append(f"complete -c sweeps -n __fish_use_subcommand -a {name} -d '{about}'")
        for word in words:
            seen = f"-n '__fish_seen_subcommand_from {name}'"
            lines.append(f"complete -c sweeps {seen} -l {word.removeprefix('--')}")
    return lines


if __name__ == "__main__":
    main()
