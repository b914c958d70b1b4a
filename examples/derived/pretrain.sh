#!/usr/bin/env bash
# Pre-train a language and one derived from it, or any other two or more: ALIGN-MLM, or what the flags make of it.
# Usage: pretrain.sh [--dry-run] [FLAGS of fairseq-train...], e.g. --align-weight 0 for plain MLM; see ../objectives.sh
# In: $DATA $LANGS $LEXICON, $HELDOUT (pairs that are only scored). Out: $SAVE/model.pt, $SAVE/train.log
set -euo pipefail
source "$(dirname "$0")/../common.sh"

SEED=${SEED:-1}
LAYERS=${LAYERS:-2} DIM=${DIM:-128} HEADS=${HEADS:-4}
TOKENS=${TOKENS:-64}                 # in an item
POSITIONS=${POSITIONS:-$TOKENS}      # of the model; if more than TOKENS, LONG_UPDATES on items of that length follow
UPDATES=${UPDATES:-6000}
LONG_UPDATES=${LONG_UPDATES:-$((UPDATES / 4))} LONG_LR=${LONG_LR:-1e-3}   # of that phase
BATCH=${BATCH:-16}                   # items in an update
WARMUP=${WARMUP:-$((UPDATES / 10))}  # updates
LR=${LR:-2e-3}
ADAM_BETAS=${ADAM_BETAS:-(0.9, 0.999)} WEIGHT_DECAY=${WEIGHT_DECAY:-0}   # as the paper's authors train
DROPOUT=${DROPOUT:-0.1}
VALIDATIONS=${VALIDATIONS:-4}         # of a training, at equal distances
[ ! -e "$SAVE/model.pt" ] || exit 0
mkdir -p "$SAVE"

train() {                            # TOKENS BATCH UPDATES WARMUP LR [flags...]
    local every=$((($3 + VALIDATIONS - 1) / VALIDATIONS))
    # --data-buffer-size 0: no thread reads ahead; fairseq's can abort a process that ends inside an epoch
    logged "$SAVE/train.log" 'train_inner|\| valid_' fairseq-train "$DATA" --user-dir "$PLUGIN" --seed "$SEED" \
        --task align_mlm --langs "$LANGS" --tokens-per-sample "$1" --max-positions "$POSITIONS" \
        --criterion align_mlm --lexicon "$LEXICON" ${HELDOUT:+--heldout-lexicon "$HELDOUT"} --score-seen \
        --arch roberta_base --encoder-layers "$LAYERS" --encoder-embed-dim "$DIM" --encoder-ffn-embed-dim $((4 * DIM)) \
        --encoder-attention-heads "$HEADS" --dropout "$DROPOUT" --attention-dropout "$DROPOUT" \
        --optimizer adam --adam-betas "$ADAM_BETAS" --weight-decay "$WEIGHT_DECAY" --clip-norm 1.0 --batch-size "$2" \
        --lr "$5" --lr-scheduler polynomial_decay --warmup-updates "$4" --total-num-update "$3" --max-update "$3" \
        --valid-subset "valid_${LANGS//,/,valid_}" --validate-interval 1000 --validate-interval-updates "$every" \
        --save-interval 1000 --save-interval-updates "$every" --keep-interval-updates 1 --no-epoch-checkpoints \
        --save-dir "$SAVE" --log-format simple --log-interval 100 --num-workers 0 --data-buffer-size 0 "${@:6}"
}
[ -e "$SAVE/short.pt" ] || train "$TOKENS" "$BATCH" "$UPDATES" "$WARMUP" "$LR" "$@"
if [ "$POSITIONS" -gt "$TOKENS" ]; then
    if [ ! -e "$SAVE/short.pt" ]; then
        mv "$SAVE/train.log" "$SAVE/short.log"
        python "$EXAMPLES/derived/positions.py" "$SAVE/checkpoint_last.pt" "$SAVE/short.pt" --learnt "$TOKENS"
    fi
    [ ! "$SAVE/short.pt" -nt "$SAVE/checkpoint_last.pt" ] || rm -f "$SAVE"/checkpoint_*.pt   # of the first phase
    batch=$(((BATCH * TOKENS + POSITIONS - 1) / POSITIONS))   # as many tokens in an update
    train "$POSITIONS" "$batch" "$LONG_UPDATES" $((LONG_UPDATES / 10)) "$LONG_LR" \
        --finetune-from-model "$SAVE/short.pt" "$@"
fi
mv "$SAVE/checkpoint_last.pt" "$SAVE/model.pt"
rm -f "$SAVE"/checkpoint_*.pt
