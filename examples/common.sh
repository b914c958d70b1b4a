# What the recipes share. Each sources it first: --help shows the head of the recipe, --dry-run prints the commands that
# would be run now, here and in the recipes that it starts, and changes nothing.
EXAMPLES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PREPROCESS=$(dirname "$EXAMPLES")/preprocess
PLUGIN=$(dirname "$EXAMPLES")/fairseq_align
DRY_RUN=${DRY_RUN-}

fail() { echo "error: $*" >&2; exit 1; }
of() { local name=$1_$2; echo "${!name-}"; }   # NAME SUFFIX: the variable NAME_SUFFIX, e.g. that of a language
parser_python() { "${PARSER_PYTHON:-python}" "$@"; }   # of an environment with spaCy, see derived/parser.sh

case ${1-} in                        # `shift` acts on the arguments of the recipe
    -h | --help) sed -n '2,${/^# /!q; s///p}' "$0"; exit ;;
    --dry-run) export DRY_RUN=1; shift ;;
esac
if [ -n "$DRY_RUN" ]; then
    show() { local line; printf -v line '%q ' "$@"; echo "${line% }"; }
    python() { show python "$@"; }
    parser_python() { show "${PARSER_PYTHON:-python}" "$@"; }
    fairseq-preprocess() { show fairseq-preprocess "$@"; }
    fairseq-train() { show fairseq-train "$@"; }
    fairseq-align() { show fairseq-align "$@"; }
    torchrun() { show torchrun "$@"; }
    srun() { show srun "$@"; }
    exec() { "$@"; }                 # else it would pass over these functions
    mkdir() { :; }; mv() { :; }; cp() { :; }; rm() { :; }; touch() { :; }
fi

# LOG PATTERN COMMAND...: the output goes to LOG, behind what is there; lines that match are shown, and errors
logged() {
    [ -z "$DRY_RUN" ] || { "${@:3}"; return; }
    local status=0
    "${@:3}" 2>&1 | (
        trap '' INT HUP              # the command has something left to say after a signal
        tee -a "$1" | { grep --line-buffered -E "$2|rror:|xception:|stopped by|goes on|nothing to do" || true; }
    ) || status=$?
    [ "$status" = 0 ] || echo "error: $3 ended with status $status; all that it said is in $1" >&2
    return "$status"
}
