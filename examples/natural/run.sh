#!/usr/bin/env bash
# One model of a study: pre-train on the source language and some others, score alignment and retrieval; for each task
# fine-tune on the source language and score every language.
# Usage: run.sh OBJECTIVE TARGETS [SETTING=VALUE...], e.g. run.sh align_mlm fr,ar SEED=2 ALIGN_LOSS=contrastive
# In: $WORK, made by prepare.sh. Out: $WORK/runs/<cell>/, scores appended to $WORK/results.jsonl; what is done is not repeated
set -euo pipefail

OBJECTIVE=$1 TARGETS=${2//,/ }       # mlm, tlm, dict_mlm or align_mlm; languages beside the source
[ $# -lt 3 ] || export "${@:3}"
export WORK=${WORK:-runs/natural} SOURCE=${SOURCE:-en} SEED=${SEED:-1}
ALIGN_LOSS=${ALIGN_LOSS:-cosine}     # or l2, contrastive
VARIANT=${VARIANT-}                  # name of a model with other settings than those of the study, for the report
ALIGN_PAIRS=${ALIGN_PAIRS:-1024}     # of an update
TLM_RATE=${TLM_RATE:-1}              # tlm: items of an epoch as a fraction of the pairs of sentences
ALPHA=${ALPHA:-0.7}                  # languages are sampled in proportion to their size to this power
TASKS=${TASKS-pos}                   # to fine-tune: pos, ner, xnli
LAYER=${LAYER:-1}                    # whose states stand for a sentence in retrieval
HERE=$(dirname "$0")
source "$HERE/../common.sh"
export DATA=$WORK/data-bin LANGS=$SOURCE,${TARGETS// /,}
about=(--objective "$OBJECTIVE") flags=(--multilang-sampling-alpha "$ALPHA") LEXICON= HELDOUT= pairs= lexicons=
for lang in $TARGETS; do pairs+=,$SOURCE-$lang.$SOURCE:$SOURCE-$lang.$lang; done
for lang in $SOURCE $TARGETS; do for other in $TARGETS; do
    [ -e "$WORK/lexicon/$lang-$other.tsv" ] || continue
    LEXICON+=:$WORK/lexicon/$lang-$other.tsv HELDOUT+=:$WORK/lexicon/$lang-$other.heldout.tsv
    lexicons+=,$lang:$other:$WORK/lexicon/$lang-$other.tsv
done; done
export LEXICON=${LEXICON#:} HELDOUT=${HELDOUT#:}
case $OBJECTIVE in
    mlm) export WEIGHT=0 ;;
    tlm) export WEIGHT=0; flags+=(--tlm-pairs "${pairs#,}" --tlm-rate "$TLM_RATE") ;;
    dict_mlm) export WEIGHT=0; flags+=(--dict-mlm "${lexicons#,}") ;;
    align_mlm) flags+=(--align-pairs "$ALIGN_PAIRS" --align-loss "$ALIGN_LOSS") ;;
    *) echo "error: found objective $OBJECTIVE, expected mlm, tlm, dict_mlm or align_mlm" >&2; exit 1 ;;
esac
[ -z "$VARIANT" ] || about+=(--variant "$VARIANT")
CELL=$WORK/runs/$OBJECTIVE-${TARGETS// /+}-$SEED${VARIANT:+-$VARIANT}
export MODEL=$CELL/pretrain/model.pt
mkdir -p "$CELL"

pretrain() {
    local lang pair
    SAVE=$CELL/pretrain bash "$COMMON/derived/pretrain.sh" "${flags[@]}" ${PRETRAIN_FLAGS-}
    score evaluate "$MODEL" "$DATA" --subset "valid_$SOURCE,$(subsets valid)"
    for lang in $TARGETS; do
        pair=$SOURCE-$lang
        score alignment "$MODEL" "$DATA" --lang "$lang" --by overlap --lexicon "$WORK/lexicon/$pair.tsv" \
            --source-lang "$SOURCE" --heldout-lexicon "$WORK/lexicon/$pair.heldout.tsv"
        [ ! -e "$WORK/tatoeba-bin/$pair" ] || score evaluate "$MODEL" "$WORK/tatoeba-bin/$pair" --task retrieval \
            --layer "$LAYER" --subset "test_$SOURCE,test_$lang"
    done
}

subsets() { local names=" $TARGETS"; names=${names// /,$1_}; echo "${names#,}"; }   # SPLIT: those of the targets

transfer() {                         # TASK
    finetune "$1" "$SOURCE" "test_$SOURCE,$(subsets test)"
    [ "$1" != pos ] || finetune "$1" "$SOURCE" "test_$SOURCE,$(subsets test)" --freeze-embeddings
}

step pretrain pretrain
for task in $TASKS; do step "$task" transfer "$task"; done
