#!/usr/bin/env bash
# One cell of a study: pre-train, score the alignment, fine-tune on the source language and score both languages; for
# comparison, fine-tune on the derived language, too.
# Usage: run.sh OBJECTIVE TRANSFORMS [SETTING=VALUE...], e.g. run.sh align_mlm transliterate,invert RATE=0.25 SEED=2
# In: $WORK, made by prepare.sh. Out: $WORK/runs/<cell>/, scores appended to $WORK/results.jsonl; a cell that is done is skipped
set -euo pipefail

OBJECTIVE=$1 TRANSFORMS=$2           # mlm, tlm, dict_mlm or align_mlm; e.g. transliterate,invert
[ $# -lt 3 ] || export "${@:3}"
export WORK=${WORK:-runs/derived} SOURCE=${SOURCE:-en} SEED=${SEED:-1}
RATE=${RATE:-0.5}                    # fraction of the vocabulary in the lexicon; mlm and tlm are only scored on it
TLM_RATE=${TLM_RATE:-0.25}           # tlm: items of an epoch as a fraction of the pairs of sentences
OVERLAP=${OVERLAP:-0}                # fraction of the pieces that both languages share
HERE=$(dirname "$0")
case $OBJECTIVE in
    mlm | tlm | dict_mlm) export WEIGHT=0 ;;
    align_mlm) ;;
    *) echo "error: found objective $OBJECTIVE, expected mlm, tlm, dict_mlm or align_mlm" >&2; exit 1 ;;
esac
TARGET=$SOURCE-${TRANSFORMS//,/+}
[ "$OVERLAP" = 0 ] || TARGET=$TARGET-overlap$OVERLAP
CELL=$WORK/runs/$OBJECTIVE-$RATE-${TARGET#*-}-$SEED
[ "$OBJECTIVE" != tlm ] || CELL=$CELL-tlm$TLM_RATE
[ ! -e "$CELL/done" ] || exit 0

python "$HERE/../../preprocess/lexicon.py" derived --dict "$WORK/data-bin/dict.txt" --rate "$RATE" --seed "$SEED" \
    --derivation "$WORK/data-bin/$TARGET/derivation.json" --out "$CELL/lexicon.tsv" --heldout "$CELL/lexicon.heldout.tsv"
export DATA=$WORK/data-bin LANGS=$SOURCE,$TARGET LEXICON=$CELL/lexicon.tsv HELDOUT=
[ ! -e "$CELL/lexicon.heldout.tsv" ] || HELDOUT=$CELL/lexicon.heldout.tsv
about=(--objective "$OBJECTIVE" --derivation "${TARGET#*-}" --results "$CELL/results.jsonl")
flags=()
case $OBJECTIVE in
    tlm) flags=(--tlm-pairs "$SOURCE:$TARGET" --tlm-rate "$TLM_RATE") ;;
    dict_mlm) about+=(--lexicon-rate "$RATE"); flags=(--dict-mlm "$SOURCE:$TARGET:$LEXICON") ;;
    align_mlm) about+=(--lexicon-rate "$RATE") ;;
esac
rm -f "$CELL/results.jsonl"

SAVE=$CELL/pretrain bash "$HERE/pretrain.sh" "${flags[@]}" ${PRETRAIN_FLAGS-}
fairseq-align evaluate "$CELL/pretrain/model.pt" "$DATA" --subset "valid_$SOURCE,valid_$TARGET" "${about[@]}"
fairseq-align alignment "$CELL/pretrain/model.pt" "$DATA" --lexicon "$LEXICON" ${HELDOUT:+--heldout-lexicon "$HELDOUT"} \
    --lang "$TARGET" "${about[@]}"
finetune() {                         # LANGUAGE SUBSETS [--freeze-embeddings]
    local tuned=$CELL/pos-$1${3-}
    MODEL=$CELL/pretrain/model.pt TUNE_DATA=$WORK/pos-bin SOURCE=$1 FREEZE=${3-} SAVE=$tuned \
        bash "$HERE/finetune.sh" ${FINETUNE_FLAGS-}
    fairseq-align evaluate "$tuned/model.pt" "$WORK/pos-bin" --subset "$2" "${about[@]}"
}
finetune "$SOURCE" "test_$SOURCE,test_$TARGET"
finetune "$SOURCE" "test_$SOURCE,test_$TARGET" --freeze-embeddings
finetune "$TARGET" "test_$TARGET"
cat "$CELL/results.jsonl" >> "$WORK/results.jsonl"
touch "$CELL/done"
