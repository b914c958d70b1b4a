#!/usr/bin/env bash
# One model of a study: pre-train on the source language and some others, score alignment and retrieval; for each task
# fine-tune on the source language and score every language.
# Usage: run.sh [--dry-run] OBJECTIVE TARGETS [SETTING=VALUE...], e.g. run.sh align_mlm fr,ar SEED=2 ALIGN_LOSS=l2
# In: $WORK, made by prepare.sh. Out: $WORK/runs/<cell>/, scores appended to $WORK/results.jsonl; what is done is not
# repeated. With EXPORT=1 also $WORK/hf/<cell>, the pre-trained model for transformers, its scores on its card
set -euo pipefail
source "$(dirname "$0")/../common.sh"
source "$EXAMPLES/study.sh"
source "$EXAMPLES/objectives.sh"

[ $# -ge 2 ] || fail "found $# arguments, expected OBJECTIVE TARGETS; see run.sh --help"
OBJECTIVE=$1 TARGETS=${2//,/ }       # e.g. align_mlm+tlm; languages beside the source
[ $# -lt 3 ] || export "${@:3}"
export WORK=${WORK:-runs/natural} SOURCE=${SOURCE:-en} SEED=${SEED:-1}
ALIGN_PAIRS=${ALIGN_PAIRS:-1024}     # of an update
TLM_RATE=${TLM_RATE:-1}              # tlm: items of an epoch as a fraction of the pairs of sentences
ALPHA=${ALPHA:-0.7}                  # languages are sampled in proportion to their size to this power
VARIANT=${VARIANT-}                  # name of a model with other settings than those of the study, for the report
TASKS=${TASKS-pos}                   # to fine-tune: pos, ner, xnli
TUNE=${TUNE:-all}                    # all: weights, and for pos also all but the word embeddings; frozen: only so
PRETRAIN_RECIPE=${PRETRAIN_RECIPE:-$EXAMPLES/derived/pretrain.sh}
LAYER=${LAYER:-1}                    # whose states stand for a sentence in retrieval
name=$OBJECTIVE-${TARGETS// /+}-$SEED${VARIANT:+-$VARIANT}
[[ $OBJECTIVE != *tlm* || $TLM_RATE = 1 ]] || name+=-tlm$TLM_RATE
CELL=$WORK/runs/$name
export DATA=$WORK/data-bin LANGS=$SOURCE,${TARGETS// /,} MODEL=$CELL/pretrain/model.pt LEXICON= HELDOUT=
pairs= lexicons=
for lang in $TARGETS; do pairs+=,$SOURCE-$lang.$SOURCE:$SOURCE-$lang.$lang; done
for lang in $SOURCE $TARGETS; do for other in $TARGETS; do
    [[ -e $WORK/lexicon/$lang-$other.tsv || -n $DRY_RUN && $lang = "$SOURCE" ]] || continue
    LEXICON+=:$WORK/lexicon/$lang-$other.tsv HELDOUT+=:$WORK/lexicon/$lang-$other.heldout.tsv
    lexicons+=,$lang:$other:$WORK/lexicon/$lang-$other.tsv
done; done
LEXICON=${LEXICON#:} HELDOUT=${HELDOUT#:}
words=$(objective_flags "$OBJECTIVE" "${pairs#,}" "${lexicons#,}")
readarray -t flags <<< "$words"
readarray -t about <<< "$(objective_about "$OBJECTIVE" "$VARIANT" 1)"

subsets() { local names="$SOURCE $TARGETS"; echo "$1_${names// /,$1_}"; }   # SPLIT: those of all languages

pretrain() {
    local lang pair
    # shellcheck disable=SC2086  # flags
    SAVE=$CELL/pretrain bash "$PRETRAIN_RECIPE" --multilang-sampling-alpha "$ALPHA" "${flags[@]}" \
        ${PRETRAIN_FLAGS-}
    score evaluate "$MODEL" "$DATA" --subset "$(subsets valid)"
    for lang in $TARGETS; do
        pair=$SOURCE-$lang
        score alignment "$MODEL" "$DATA" --lang "$lang" --source-lang "$SOURCE" --by overlap,kind,frequency \
            --lexicon "$WORK/lexicon/$pair.tsv" --heldout-lexicon "$WORK/lexicon/$pair.heldout.tsv"
        [[ ! -e $WORK/tatoeba-bin/$pair ]] || score evaluate "$MODEL" "$WORK/tatoeba-bin/$pair" --task retrieval \
            --layer "$LAYER" --subset "test_$SOURCE,test_$lang"
    done
}

transfer() {                         # TASK
    [ "$TUNE" = frozen ] || finetune "$1" "$SOURCE" "$(subsets test)"
    [[ $1 != pos && $TUNE != frozen ]] || finetune "$1" "$SOURCE" "$(subsets test)" --freeze-embeddings
}

step pretrain pretrain
for task in $TASKS; do step "$task" transfer "$task"; done
[ -z "${EXPORT-}" ] || [ -e "$WORK/hf/$name" ] || fairseq-align export "$MODEL" "$WORK/hf/$name" \
    --model "$WORK/spm/spm.model" --data "$DATA" --results "$WORK/results.jsonl"
