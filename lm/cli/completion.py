"""Tab completion of `python -m lm.train`, `python -m lm.sweep` and their scripts in a shell.

Hydra completes what follows the name of a program or of a script. Its own shell functions do not
know `python -m`; the ones here hand such a line to it. The scripts are `lm-train` and `lm-sweep`.
"""

import re

_BASH = """\
_lm_sweeps_complete() {
    local command="${COMP_WORDS[0]}" module=""
    case "${command##*/}" in
        lm-train|lm-sweep) ;;
        *)
            if [ "${COMP_WORDS[1]}" != -m ]; then return; fi
            module="${COMP_WORDS[2]}"
            case "$module" in lm.train|lm.sweep) ;; *) return ;; esac ;;
    esac
    local choices=$(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" \\
        "$command" ${module:+-m "$module"} -sc query=bash 2>/dev/null)
    COMPREPLY=($(compgen -W "$choices" -- "${COMP_WORDS[COMP_CWORD]}"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _lm_sweeps_complete python python3 lm-train lm-sweep
"""
_ZSH = f"""\
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
{_BASH}"""
_FISH = """\
function __lm_sweeps_complete
    set -l parts (commandline -cpo)
    set -lx COMP_LINE (commandline -cp)
    if string match -qr '(^|/)lm-(train|sweep)$' -- "$parts[1]"
        $parts[1] -sc query=fish 2>/dev/null
    else if test "$parts[2]" = -m; and contains -- "$parts[3]" lm.train lm.sweep
        $parts[1] -m $parts[3] -sc query=fish 2>/dev/null
    end
end
complete -c python -a '(__lm_sweeps_complete)'
complete -c python3 -a '(__lm_sweeps_complete)'
complete -c lm-train -a '(__lm_sweeps_complete)'
complete -c lm-sweep -a '(__lm_sweeps_complete)'
"""
_BASH_OFF = "complete -r python python3 lm-train lm-sweep\nunset -f _lm_sweeps_complete\n"
_FISH_OFF = (
    "complete -e -c python\ncomplete -e -c python3\ncomplete -e -c lm-train\n"
    "complete -e -c lm-sweep\nfunctions -e __lm_sweeps_complete\n"
)

SCRIPTS = {
    "install=bash": _BASH,
    "install=zsh": _ZSH,
    "install=fish": _FISH,
    "uninstall=bash": _BASH_OFF,
    "uninstall=zsh": _BASH_OFF,
    "uninstall=fish": _FISH_OFF,
}
"""What `--shell-completion` is given -> what the shell has to evaluate."""

_COMMAND = re.compile(
    r"\s*(\S*python[\d.]*\s+(-m\s+)?lm[./](?P<module>train|sweep)(\.py)?"
    r"|(\S*/)?lm-(?P<script>train|sweep))(?=\s|$)"
)


def without_module(line: str) -> str:
    """Return a line of a shell with a program's name in the place of `python -m lm.train`.

    The scripts `lm-train` and `lm-sweep` are such commands, too. A sweep's line has the flag by
    which Hydra allows axes.
    """
    command = _COMMAND.match(line)
    if command is None:
        return line
    is_sweep = "sweep" in (command["module"], command["script"])
    return f"lm{' -m' if is_sweep else ''}{line[command.end() :]}"
