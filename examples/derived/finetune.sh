#!/usr/bin/env bash
# Fine-tune a pre-trained model for POS tagging on the source language.
# In: $MODEL $POS. Out: $SAVE/model.pt, the best epoch by accuracy on the source language; $SAVE/train.log
set -euo pipefail

SOURCE=${SOURCE:-en}
FREEZE=${FREEZE-}                    # --freeze-embeddings, or empty: all weights are tuned
SEED=${SEED:-1}
LAYERS=${LAYERS:-2} DIM=${DIM:-128} HEADS=${HEADS:-4} TOKENS=${TOKENS:-64}
EPOCHS=${EPOCHS:-5}
TUNE_LR=${TUNE_LR:-5e-4}
TUNE_BATCH=${TUNE_BATCH:-32}         # sentences
TUNE_DROPOUT=${TUNE_DROPOUT:-0.1}    # without any, zero-shot transfer is much worse when all weights are tuned
[ -e "$SAVE/model.pt" ] && exit
mkdir -p "$SAVE"

fairseq-train "$POS" --user-dir "$(dirname "$0")/../../fairseq_align" --task sequence_tagging --lang "$SOURCE" \
    --criterion sequence_tagging --finetune-from-model "$MODEL" --seed "$SEED" $FREEZE \
    --arch roberta_tagger --encoder-layers "$LAYERS" --encoder-embed-dim "$DIM" --encoder-ffn-embed-dim $((4 * DIM)) \
    --encoder-attention-heads "$HEADS" --tokens-per-sample "$TOKENS" --max-positions "$TOKENS" \
    --dropout "$TUNE_DROPOUT" --attention-dropout "$TUNE_DROPOUT" --pooler-dropout "$TUNE_DROPOUT" \
    --batch-size "$TUNE_BATCH" --max-epoch "$EPOCHS" --optimizer adam --adam-betas '(0.9, 0.98)' --clip-norm 1.0 \
    --lr "$TUNE_LR" --lr-scheduler inverse_sqrt --warmup-updates 100 \
    --best-checkpoint-metric accuracy --maximize-best-checkpoint-metric --no-epoch-checkpoints --no-last-checkpoints \
    --save-dir "$SAVE" --log-format simple --log-interval 100 --num-workers 0 "$@" 2>&1 | tee "$SAVE/train.log" |
    { grep --line-buffered -E 'valid on|rror' || true; }
mv "$SAVE/checkpoint_best.pt" "$SAVE/model.pt"
