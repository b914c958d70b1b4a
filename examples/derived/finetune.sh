#!/usr/bin/env bash
# Fine-tune a pre-trained model on one language: POS tagging, NER or XNLI. SOURCE=<derived language> gives B_S of the
# paper.
# Usage: finetune.sh [--dry-run] [FLAGS of fairseq-train...]. In: $MODEL, $TUNE_DATA (pos-bin, ner-bin, xnli-bin).
# Out: $SAVE/model.pt, the best epoch on that language; $SAVE/train.log
# As in the paper's code the learning rate falls linearly to 0, without warm-up, and Adam has betas 0.9 and 0.999. Its
# settings: TUNE_LR=2e-5 TUNE_BATCH=32, 10 epochs (XNLI: 5) at 128 tokens: 61,360 updates on MultiNLI's 392,702 pairs,
# 6,250 on PAN-X, 3,920 on UD EWT. RoBERTa's MNLI: TUNE_LR=1e-5, 10 epochs: 122,720 updates
set -euo pipefail
source "$(dirname "$0")/../common.sh"

TASK=${TASK:-pos}                    # pos, ner or xnli
for name in EPOCHS TUNE_UPDATES TUNE_LR TUNE_SCHEDULE TUNE_BATCH TUNE_DROPOUT FINETUNE_FLAGS; do
    own=$(of $name "$TASK")          # a setting of one task alone: EPOCHS_xnli=5
    [ -z "$own" ] || printf -v $name %s "$own"
done
SOURCE=${SOURCE:-en}
FREEZE=${FREEZE-}                    # --freeze-embeddings, or empty: all weights are tuned
SEED=${SEED:-1}
LAYERS=${LAYERS:-2} DIM=${DIM:-128} HEADS=${HEADS:-4} EPOCHS=${EPOCHS:-5}
POSITIONS=${POSITIONS:-${TOKENS:-64}}   # of the model
TUNE_UPDATES=${TUNE_UPDATES-}        # at most; empty: those of EPOCHS
TUNE_LR=${TUNE_LR:-5e-4}
TUNE_SCHEDULE=${TUNE_SCHEDULE:-linear}   # of the learning rate: linear to 0, or constant
TUNE_BATCH=${TUNE_BATCH:-32}         # sentences or pairs
TUNE_DROPOUT=${TUNE_DROPOUT:-0.1}    # without any, zero-shot transfer is much worse when all weights are tuned
FINETUNE_FLAGS=${FINETUNE_FLAGS-}            # more flags of fairseq-train
[ ! -e "$SAVE/model.pt" ] || exit 0
mkdir -p "$SAVE"

tagging=(--task sequence_tagging --criterion sequence_tagging --arch roberta_tagger --lang "$SOURCE")
tagging+=(--tokens-per-sample "$POSITIONS")
pairs=(--task sentence_classification --criterion sentence_prediction --arch roberta_base --num-classes 3)
pairs+=(--init-token 0 --separator-token 2 --train-subset "train_$SOURCE" --valid-subset "valid_$SOURCE")
case $TASK in
    pos) flags=("${tagging[@]}") METRIC=accuracy ;;
    ner) flags=("${tagging[@]}") METRIC=f1 ;;
    xnli) flags=("${pairs[@]}") METRIC=accuracy ;;
    *) fail "found task $TASK, expected pos, ner or xnli" ;;
esac
updates() {                          # of the whole training
    python "$EXAMPLES/derived/updates.py" "$TUNE_DATA" --task "$TASK" --lang "$SOURCE" --positions "$POSITIONS" \
        --batch "$TUNE_BATCH" --epochs "$EPOCHS"
}
case $TUNE_SCHEDULE in
    linear)
        if [ -n "$TUNE_UPDATES" ]; then total=$TUNE_UPDATES; flags+=(--max-update "$total")
        elif [ -n "$DRY_RUN" ]; then updates; total=UPDATES
        else total=$(updates); fi
        flags+=(--lr-scheduler polynomial_decay --total-num-update "$total") ;;
    constant) flags+=(--lr-scheduler fixed) ;;
    *) fail "found schedule $TUNE_SCHEDULE, expected linear or constant" ;;
esac
# with its default multiple of 8 fairseq leaves out the last sentences, in validation too (fairseq issue 5036)
# shellcheck disable=SC2086  # flags
logged "$SAVE/train.log" 'valid on' fairseq-train "$TUNE_DATA" --user-dir "$PLUGIN" "${flags[@]}" \
    --finetune-from-model "$MODEL" --seed "$SEED" $FREEZE \
    --encoder-layers "$LAYERS" --encoder-embed-dim "$DIM" --encoder-ffn-embed-dim $((4 * DIM)) \
    --encoder-attention-heads "$HEADS" --max-positions "$POSITIONS" \
    --dropout "$TUNE_DROPOUT" --attention-dropout "$TUNE_DROPOUT" --pooler-dropout "$TUNE_DROPOUT" \
    --batch-size "$TUNE_BATCH" --required-batch-size-multiple 1 --max-epoch "$EPOCHS" \
    --optimizer adam --adam-betas '(0.9, 0.999)' --clip-norm 1.0 \
    --lr "$TUNE_LR" --best-checkpoint-metric "$METRIC" --maximize-best-checkpoint-metric \
    --no-epoch-checkpoints --no-last-checkpoints \
    --save-dir "$SAVE" --log-format simple --log-interval 100 --num-workers 0 --data-buffer-size 0 $FINETUNE_FLAGS "$@"
mv "$SAVE/checkpoint_best.pt" "$SAVE/model.pt"
rm -f "$SAVE"/checkpoint_*.pt        # one of a training that was interrupted
