"""Tab completion of `python -m lm.train` and `python -m lm.sweep` in a shell.

Hydra completes what follows the name of a program or of a script. Its own shell functions do not
know `python -m`; the ones here hand such a line to it.
"""

import re

_BASH = """\
_lm_sweeps_complete() {
    local module="${COMP_WORDS[2]}"
    if [ "${COMP_WORDS[1]}" != -m ]; then return; fi
    case "$module" in lm.train|lm.sweep) ;; *) return ;; esac
    local choices=$(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" \\
        "${COMP_WORDS[0]}" -m "$module" -sc query=bash 2>/dev/null)
    COMPREPLY=($(compgen -W "$choices" -- "${COMP_WORDS[COMP_CWORD]}"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _lm_sweeps_complete python python3
"""
_ZSH = f"""\
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
{_BASH}"""
_FISH = """\
function __lm_sweeps_complete
    set -l parts (commandline -cpo)
    if test "$parts[2]" = -m; and contains -- "$parts[3]" lm.train lm.sweep
        set -lx COMP_LINE (commandline -cp)
        $parts[1] -m $parts[3] -sc query=fish 2>/dev/null
    end
end
complete -c python -a '(__lm_sweeps_complete)'
complete -c python3 -a '(__lm_sweeps_complete)'
"""
_BASH_OFF = "complete -r python python3\nunset -f _lm_sweeps_complete\n"
_FISH_OFF = "complete -e -c python\ncomplete -e -c python3\nfunctions -e __lm_sweeps_complete\n"

SCRIPTS = {
    "install=bash": _BASH,
    "install=zsh": _ZSH,
    "install=fish": _FISH,
    "uninstall=bash": _BASH_OFF,
    "uninstall=zsh": _BASH_OFF,
    "uninstall=fish": _FISH_OFF,
}
"""What `--shell-completion` is given -> what the shell has to evaluate."""


def without_module(line: str) -> str:
    """Return a line of a shell with a program's name in the place of `python -m lm.train`.

    A sweep's has the flag by which Hydra allows axes.
    """
    command = re.match(r"\s*\S*python[\d.]*\s+(-m\s+)?lm[./](train|sweep)(\.py)?(?=\s|$)", line)
    if command is None:
        return line
    return f"lm{' -m' if command[2] == 'sweep' else ''}{line[command.end() :]}"
