# What an objective of pre-training means to fairseq-train and to the results; sourced by the recipes of the studies.
# Several objectives are joined by +, e.g. align_mlm+tlm. Their settings; one that is empty is left to its default:
#   align_mlm   WEIGHT, ALIGN_LOSS, ALIGN_TEMPERATURE, ALIGN_WARMUP, ALIGN_PAIRS, ALIGN_SAMPLING, ALIGN_CHARACTERS,
#               HARD_NEGATIVES, HARD_NEGATIVES_LANGS, PREALIGN_UPDATES, SELF_LEARN (the weight of found pairs)
#   tlm         TLM_RATE, TLM_PACK (1; empty: one pair of sentences an item), TLM_RESTART and TLM_LANGUAGE (1: positions
#               from the beginning and a vector for the second language, as the paper's authors have them)
#   dict_mlm    DICT_RATE, DICT_MODE
#   any         CODE_SWITCH, a share of words shown in the other language; with tlm REALIGN (the weight of that term),
#               REALIGN_LAYER, REALIGN_LOSS

flag() { [ -z "$2" ] || printf '%s\n' "$1" "$2"; }   # NAME VALUE, a line each
switch() { [ -z "$2" ] || echo "$1"; }               # NAME VALUE: the name unless the value is empty

objective_flags() {                  # NAMES PAIRS LEXICONS, the last two as --tlm-pairs and --dict-mlm want them
    local name weight=0
    for name in ${1//+/ }; do
        case $name in
            mlm) ;;
            tlm)
                flag --tlm-pairs "$2"; flag --tlm-rate "${TLM_RATE-}"; switch --tlm-pack "${TLM_PACK-1}"
                switch --tlm-restart-positions "${TLM_RESTART-}"
                switch --tlm-language-embedding "${TLM_LANGUAGE-}" ;;
            dict_mlm)
                flag --dict-mlm "$3"
                flag --dict-mlm-rate "${DICT_RATE-}"; flag --dict-mlm-mode "${DICT_MODE-}" ;;
            align_mlm)
                weight=${WEIGHT:-10}  # the paper's alpha
                flag --align-loss "${ALIGN_LOSS-}"; flag --align-temperature "${ALIGN_TEMPERATURE-}"
                flag --align-pairs "${ALIGN_PAIRS-}"; flag --align-sampling "${ALIGN_SAMPLING-}"
                flag --align-warmup "${ALIGN_WARMUP-}"; flag --align-characters "${ALIGN_CHARACTERS-}"
                flag --hard-negatives "${HARD_NEGATIVES-}"; flag --hard-negatives-langs "${HARD_NEGATIVES_LANGS-}"
                flag --prealign-updates "${PREALIGN_UPDATES-}"
                [ -z "${SELF_LEARN-}" ] || {
                    flag --self-learn "$3"; flag --self-learn-weight "$SELF_LEARN"
                } ;;
            *) fail "found objective $name, expected mlm, tlm, dict_mlm or align_mlm" ;;
        esac
    done
    [ -z "${CODE_SWITCH-}" ] || { flag --code-switch "$3"; flag --code-switch-rate "$CODE_SWITCH"; }
    [ -z "${REALIGN-}" ] || {
        flag --realign "$3"; flag --realign-weight "$REALIGN"
        flag --realign-layer "${REALIGN_LAYER-}"; flag --realign-loss "${REALIGN_LOSS-}"
    }
    flag --align-weight "$weight"
}

uses_lexicon() { [[ $1 = *dict_mlm* || $1 = *align_mlm* ]]; }   # NAMES

objective_about() {                  # NAMES VARIANT [RATE]: what results say of it; a+b is recorded as a, variant +b
    local variant=$2 others=${1#"${1%%+*}"}
    # another rate of TLM than the study's RATE is another row of the report
    [[ $1 != *tlm* || ${TLM_RATE:-${3-}} = "${3-}" ]] || variant=rate-$TLM_RATE${2:+-$2}
    flag --objective "${1%%+*}"
    flag --variant "$others${variant:+${others:+-}$variant}"
}
